"""Print the script that completes `dlexp` commands in bash, zsh or fish.

To switch it on, add one line to the shell's start-up file:

\b
  ~/.bashrc                   eval "$(dlexp completion bash)"
  ~/.zshrc                    eval "$(dlexp completion zsh)"
  ~/.config/fish/config.fish  dlexp completion fish | source

The scripts themselves call it with the WORDs typed so far. It then prints the possible completions
of the last WORD, one per line, each with a tab and an explanation.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dlexp.cli import completion
from dlexp.cli.verbs import verb

SCRIPTS = Path(completion.__file__).with_name("shells")


@verb(__doc__)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.argument("words", nargs=-1, metavar="[-- WORD...]")
def command(shell: str, words: Sequence[str]) -> int:
    """Print the script, or the candidates for the last word."""
    if not words:
        print((SCRIPTS / f"dlexp.{shell}").read_text(encoding="utf-8"), end="")
        return 0
    for value, text in completion.candidates(words[:-1], words[-1]):
        print(f"{value}\t{text}" if text else value)
    return 0
