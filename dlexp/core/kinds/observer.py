"""What watches a run."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import TYPE_CHECKING, ClassVar

from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin

if TYPE_CHECKING:
    from dlexp.core.observed import ObservedRun
    from dlexp.core.records import Record

# in words
NEEDS = {"network": "a network", "dataset": "a data set", "softmax": "a softmax as its output"}


@kind(
    "observer",
    summary="what watches a run and draws its figures; one or several",
    many=True,
    identity=False,
    rank=100,
)
class Observer(Plugin):
    """Watches a run: looks, never changes a number and never stops a run; if it raises, it is
    logged and heard no more.

    Like an optimizer it keeps its state in `s`, a namespace of its own for each run. `needs` names
    what a run must have: asking for the observer where that is missing is an error, and it does not
    look at such a run. `measures` are patterns of the metrics that it notes, {"sharpness/*"}; None:
    any. `live` is one that shows the training to whoever waits for it, and leaves nothing behind.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[Collection[str] | None] = None
    live: ClassVar[bool] = False

    @classmethod
    def misdeclared(cls) -> str:
        unknown = [need for need in cls.needs if need not in NEEDS]
        return (
            f"needs {', '.join(map(repr, unknown))}; there are {', '.join(NEEDS)}"
            if unknown
            else ""
        )

    def lacks(self, run: ObservedRun) -> str:
        """What it needs and a run has not, in words; empty where nothing is missing."""
        has = {
            "network": run.network,
            "dataset": run.dataset,
            run.experiment.objective.output: True,
        }
        return " and ".join(NEEDS[need] for need in self.needs if has.get(need) is None)

    def start(self, run: ObservedRun, s: SimpleNamespace) -> None:
        """Before the first step; the network is untrained."""

    def record(self, run: ObservedRun, s: SimpleNamespace, record: Record) -> None:
        """After each evaluation; `run.trainer` is at that step."""

    def finish(self, run: ObservedRun, s: SimpleNamespace, error: BaseException | None) -> None:
        """At the end, whatever it was."""
