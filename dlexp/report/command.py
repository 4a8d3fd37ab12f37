"""`python -m dlexp report [<sweep> …] [--tuned] [--metric …] [--target …] [--margin …]`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import NoReturn

from dlexp.errors import UserError
from dlexp.report import make
from dlexp.storage.find import must_find


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, key="report")


def parser() -> argparse.ArgumentParser:
    """The options of `report`."""
    report = _Parser(
        prog="python -m dlexp report",
        description="Compare the runs of sweeps: a table here, figures and a page beside them.",
    )
    report.add_argument(
        "sweeps",
        nargs="*",
        default=["last"],
        metavar="sweep",
        help="name, id or folder; last by default",
    )
    report.add_argument(
        "--metric",
        help="what is compared: test/accuracy, or test/loss, or train/loss for a surface",
    )
    report.add_argument(
        "--better", choices=["high", "low"], help="for a metric that is neither accuracy nor loss"
    )
    report.add_argument(
        "--target", type=float, help="time until the validation metric is this good"
    )
    report.add_argument(
        "--margin", type=float, help="a difference that does not matter: allows EQUIVALENT"
    )
    report.add_argument(
        "--tuned",
        action="store_true",
        help="each method at its best setting, chosen on other seeds",
    )
    report.add_argument("--out", type=Path, help="folder to write to")
    return report


def main(words: list[str]) -> int:
    """Make a report and print it. Raises `UserError`."""
    try:
        options = parser().parse_intermixed_args(words)
    except SystemExit as e:  # --help
        return int(e.code or 0)
    for name in ("target", "margin"):
        value = getattr(options, name)
        if value is not None and (not math.isfinite(value) or (name == "margin" and value <= 0)):
            raise UserError(
                "must be a finite number" + " > 0" * (name == "margin"),
                key=f"--{name}",
                value=value,
            )
    report = make(
        [must_find(word, "report", runs=False) for word in options.sweeps],
        metric=options.metric,
        tuned=options.tuned,
        target=options.target,
        margin=options.margin,
        better=options.better,
        out=options.out,
    )
    encoding = sys.stdout.encoding or "utf-8"
    print(report.text.encode(encoding, "replace").decode(encoding), end="")
    return 0
