"""Compare the runs of sweeps: a table in the terminal, figures and a page.

SWEEP is a name, an id or a folder, or last, which is the default. Several sweeps are compared as
one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dlexp.cli.completion import sweep_names
from dlexp.cli.verbs import verb
from dlexp.errors import UserError


@verb(__doc__)
@click.argument(
    "sweeps", nargs=-1, metavar="[SWEEP]...", shell_complete=lambda *_: ["last", *sweep_names()]
)
@click.option(
    "--metric",
    help="The metric to compare (default: test/accuracy, test/loss, or train/loss for a surface).",
)
@click.option(
    "--better",
    type=click.Choice(["high", "low"]),
    help="Whether high or low is better, for a metric that is neither an accuracy nor a loss.",
)
@click.option(
    "--target", type=float, help="Compare the time until the validation metric reaches this value."
)
@click.option(
    "--margin",
    type=float,
    help="The largest difference without practical importance; allows the verdict EQUIVALENT.",
)
@click.option(
    "--tuned", is_flag=True, help="Compare each method at its best setting, chosen on other seeds."
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write to.")
def command(
    sweeps: Sequence[str],
    metric: str | None,
    better: str | None,
    target: float | None,
    margin: float | None,
    tuned: bool,
    out: Path | None,
) -> int:
    """Make a report and print it."""
    from dlexp.report import make
    from dlexp.storage.find import must_find

    _check("--target", target, target is None or math.isfinite(target), "a finite number")
    fits = margin is None or (math.isfinite(margin) and margin > 0)
    _check("--margin", margin, fits, "a finite number > 0")
    report = make(
        [must_find(word, "report", runs=False) for word in sweeps or ["last"]],
        metric=metric,
        tuned=tuned,
        target=target,
        margin=margin,
        better=better,
        out=out,
    )
    encoding = sys.stdout.encoding or "utf-8"
    print(report.text.encode(encoding, "replace").decode(encoding), end="")
    return 0


def _check(flag: str, value: float | None, fits: bool, wanted: str) -> None:
    if not fits:
        raise UserError(f"must be {wanted}", key=flag, value=value)
