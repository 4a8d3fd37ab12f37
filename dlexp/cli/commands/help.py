"""Explain a command, group, option, study or key; without an argument, list all.

Examples: help resume, help optimizer, help adam, help adam.beta1, help checkpoint.seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from dlexp.cli.completion import topics
from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=topics)
def command(words: Sequence[str]) -> int:
    """Print the pages."""
    from dlexp.cli import help as pages

    print("\n\n".join(pages.details(word) for word in words) if words else pages.overview())
    return 0
