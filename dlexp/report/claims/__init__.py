"""Claims and verdicts: read from a study, decided on its runs, rendered.

    verdicts = decide(runs.read(folder))
    written.text(verdicts)  # verdicts.json
    written.blocks(verdicts)  # for the page and the terminal

`spec.read` checks the claims before anything is trained.
"""

from __future__ import annotations

from dlexp.report.claims.rendering import blocks, text
from dlexp.report.claims.spec import Claim
from dlexp.report.claims.verdicts import INCONCLUSIVE, NOT_SUPPORTED, SUPPORTED, Verdict, decide

__all__ = [
    "INCONCLUSIVE",
    "NOT_SUPPORTED",
    "SUPPORTED",
    "Claim",
    "Verdict",
    "blocks",
    "decide",
    "text",
]
