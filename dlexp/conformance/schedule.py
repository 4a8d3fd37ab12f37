"""Promises of every schedule, at its defaults and at other allowed values of each field."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from dlexp.conformance import reference
from dlexp.conformance.numerical import variants
from dlexp.core.kinds.schedule import Schedule

TOTALS = (1, 2, 3, 7, 100)


def factors(p: Schedule, total: int) -> list[float]:
    """Every factor of a run; raises `AssertionError` for a step that has none."""
    results = []
    for t in range(total):
        try:
            results.append(p(t, total))
        except ArithmeticError as e:
            raise AssertionError(
                f"{p} has no factor at t={t} of total={total} ({e}): handle runs of one step"
            ) from e
    return results


def check_is_a_factor_at_every_step(p: Schedule) -> None:
    for q in variants(p):
        for total in TOTALS:
            for t, factor in enumerate(factors(q, total)):
                assert 0 <= factor <= 1 + 1e-12, (
                    f"{q} gives {factor} at t={t} of total={total}: keep it within [0, 1]"
                )


def check_gives_a_plain_number(p: Schedule) -> None:
    for q in variants(p):
        for factor in factors(q, 7):
            kind = type(factor)
            assert kind in (float, int), (
                f"{kind.__name__} would turn float32 weights into float64: use math, or float(…)"
            )


def check_lets_something_be_learned(p: Schedule) -> None:
    for total in TOTALS:
        assert max(factors(p, total)) > 0, (
            f"every factor is 0 in a run of {total} steps: at least one must be positive"
        )


def check_depends_on_nothing_but_the_step(p: Schedule) -> None:
    forwards = factors(p, 20)
    backwards = [p(t, 20) for t in reversed(range(20))][::-1]
    message = (
        "the factor of a step depends on earlier calls: keep no state, or a resumed run would"
        " differ"
    )
    assert forwards == backwards, message
    assert forwards == factors(p, 20), message


def check_follows_reference(p: Schedule, references: Path | None) -> None:
    for ref in reference.of(p, references):
        q = cast("Schedule", ref.plugin)
        ref.agrees(factors(q, int(ref["total"])), ref["factors"], "the factors")
