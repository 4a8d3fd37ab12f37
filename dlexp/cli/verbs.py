"""Finds and runs the verbs in `dlexp/cli/commands/`, and words click's errors in our form."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from dlexp.errors import UserError, nearest

FOLDER = Path(__file__).with_name("commands")
WIDTH = 100  # most columns of a help page


def verb(text: str | None) -> Callable[[Callable[..., Any]], click.Command]:
    """A click command with this help text and the flags `-h` and `--help`."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
    return click.command(help=text, context_settings=settings)


def names() -> list[str]:
    """The names of all verbs."""
    return sorted(file.stem for file in FOLDER.glob("[!_]*.py"))


def summary(name: str) -> str:
    """The first line of a verb's docstring, read without importing the file."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def load(name: str) -> click.Command:
    """The click command of a verb."""
    command: click.Command = importlib.import_module(f"dlexp.cli.commands.{name}").command
    return command


def run(name: str, words: Sequence[str]) -> int:
    """Run a verb with its arguments and return the exit status.

    Raises `UserError` for invalid arguments.
    """
    if name not in names():
        raise UserError(
            "is neither a command nor key=value",
            key=name,
            where="command line",
            allowed=", ".join(names()),
            hint=nearest(name, names()),
        )
    command = load(name)
    # not `command(…)`, which replaces KeyboardInterrupt and exits
    try:
        with command.make_context(_program(name), list(words)) as context:
            return int(command.invoke(context) or 0)
    except click.exceptions.Exit as e:  # --help
        return e.exit_code
    except click.UsageError as e:
        raise _user_error(e, name, command) from None


def help_page(name: str) -> str:
    """The output of `--help`."""
    command = load(name)
    return command.get_help(command.make_context(_program(name), [], resilient_parsing=True))


def flags(command: click.Command) -> list[str]:
    """The long flags of a command."""
    return [flag for option in command.params for flag in option.opts if flag.startswith("--")]


def _program(name: str) -> str:
    return f"python -m dlexp {name}"


def _user_error(e: click.UsageError, name: str, command: click.Command) -> UserError:
    key, message, allowed, hint = name, e.format_message(), "", ""
    if isinstance(e, click.NoSuchOption):
        known = [*flags(command), "--help"]
        message, allowed = f"unrecognized arguments: {e.option_name}", ", ".join(known)
        hint = nearest(e.option_name, known)
    elif isinstance(e, click.MissingParameter) and e.param is not None:
        wanted = e.param.make_metavar(click.Context(command))
        message = f"the argument {wanted} is missing; `{_program(name)} --help` explains it"
    elif isinstance(e, click.BadParameter) and isinstance(e.param, click.Option):
        key, message = e.param.opts[0], e.message
    elif isinstance(e, click.BadOptionUsage):
        key, message = e.option_name, "needs a value"
    message = message[:1].lower() + message[1:].rstrip(".")
    return UserError(message, key=key, where="command line", allowed=allowed, hint=hint)
