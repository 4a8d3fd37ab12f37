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
    """Observes a run without changing its numbers; an exception is logged and disables it.

    It keeps its state in `s`, one per run. `needs` names what a run must have; choosing it
    for another run is an error. `measures` are patterns of the metrics that it notes, such as
    {"sharpness/*"}; None: any. A `live` observer shows progress on the screen and writes no files.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[Collection[str] | None] = None
    live: ClassVar[bool] = False

    @classmethod
    def misdeclared(cls) -> str:
        unknown = [need for need in cls.needs if need not in NEEDS]
        needs = ", ".join(map(repr, unknown))
        return f"needs {needs}; there are {', '.join(NEEDS)}" if unknown else ""

    def lacks(self, run: ObservedRun) -> str:
        """What it needs and a run does not have, in words; empty if nothing is missing."""
        output = run.experiment.objective.output
        has = {"network": run.network, "dataset": run.dataset, output: True}
        return " and ".join(NEEDS[need] for need in self.needs if has.get(need) is None)

    def start(self, run: ObservedRun, s: SimpleNamespace) -> None:
        """Before the first step; the network is untrained."""

    def record(self, run: ObservedRun, s: SimpleNamespace, record: Record) -> None:
        """After each evaluation; `run.trainer` is at that step."""

    def finish(self, run: ObservedRun, s: SimpleNamespace, error: BaseException | None) -> None:
        """At the end of the run, however it ended."""
