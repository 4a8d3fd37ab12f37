"""The data that a figure of a study is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlexp.core.arrays import Array
from dlexp.errors import DataError, UserError, nearest
from dlexp.report import measure as measures, words
from dlexp.report.measure import Measure
from dlexp.report.runs import RunRecord
from dlexp.report.table import Axis, Table, Tokens
from dlexp.storage.archives import read_arrays
from dlexp.storage.status import Status


class CannotDraw(Exception):  # no error, but an answer
    """A figure has nothing to show; the message gives the reason."""


@dataclass(frozen=True)
class Scene:
    """A sweep's folder, the runs to show, the file to draw; `title` may be empty."""

    folder: Path
    table: Table
    path: Path
    name: str
    title: str

    def arrays(self, run: RunRecord, name: str) -> dict[str, Array] | str:
        """The arrays that an observer wrote into the run's folder; or why there are none."""
        if not run.observed:
            return f"the run is {run.status}"
        try:
            return read_arrays(self.folder / run.name / "arrays" / f"{name}.npz")
        except FileNotFoundError:
            return f"it has no arrays/{name}.npz"
        except DataError as e:
            return f"its arrays/{name}.npz {e.message}"

    @property
    def surface(self) -> str:
        """The names of the surfaces of the runs."""
        names = sorted(
            {str(run.params.get("objective", "")) for _, _, run in self.table.runs()} - {""}
        )
        return words.cut(words.plain(words.listed(names)), 40)

    def axis(self, key: str) -> Axis:
        """The axis of this key. Raises `CannotDraw` where it does not vary."""
        for axis in self.table.axes:
            if axis.key == key or any(key in goes for goes in axis.follows.values()):
                return axis
        keys = [axis.key for axis in self.table.axes]
        near = nearest(key, keys)
        raise CannotDraw(
            f"{key} does not vary between these runs; varying keys:"
            f" {words.listed(keys)}" + (f"; did you mean {near}?" if near else "")
        )

    def measure(self, metric: str, better: str | None = None) -> Measure:
        """A metric that some run measured, and which way it is better. Raises `CannotDraw`.

        An unknown direction is an error only if a run diverged, which needs a worst value.
        """
        runs = [run for _, _, run in self.table.runs()]
        known = sorted({name for run in runs for name in (*run.final, *run.curves)})
        if metric not in known:
            near = nearest(metric, known)
            raise CannotDraw(
                f"no run measured {metric}" + (f"; did you mean {near}?" if near else "")
            )
        try:
            high = measures.direction(metric, better, runs)
        except UserError:
            if any(run.status == Status.DIVERGED for run in runs):
                wrong = f"a run diverged, and the direction of {metric} is unknown"
                raise CannotDraw(f"{wrong}: add better: high or better: low") from None
            high = False
        return measures.capped(self.table, metric, high)

    def label(self, group: Tokens, *keys: str) -> str:
        """A group as it is shown, with these parameters of its runs that go with what varies."""
        run = next(iter(self.table.groups[group].values()))
        shown = {axis.key for axis in self.table.axes}
        more = [
            words.level(k, words.token(run.params[k]))
            for k in keys
            if k in run.params and k not in shown
        ]
        return " · ".join([self.table.label(group), *more])

    def counted(self, metric: str) -> str:
        """How many seeds a group has: `n = 10 seeds per group`, those that measured a metric."""
        n = sorted(
            {
                sum(run.observed and metric in run.curves for run in runs.values())
                for runs in self.table.groups.values()
            }
        )
        shown = f"{n[0]}" if n[0] == n[-1] else f"{n[0]} to {n[-1]}"
        return f"n = {shown} seed{'s' * (n[-1] != 1)} per group"
