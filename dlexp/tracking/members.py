"""The runs of a sweep in MLflow: each is sent whole when it has ended, in as few calls as there can
be.

Also cut short at any moment, a run is there once. One that went on is completed there; one that was
trained anew replaces what was there, which MLflow keeps among the deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlexp.storage import journal
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.status import Status
from dlexp.tracking import artifacts, redacted, state as states, view
from dlexp.tracking.mirror import METRICS, PARAMS, batches, send_files
from dlexp.tracking.state import State
from dlexp.tracking.store import Store
from dlexp.tracking.sweep_folder import Ended, label, place_of, run_name

if TYPE_CHECKING:
    from mlflow.entities import Run


class Members:
    """The runs of one sweep: `key` is the sweep's, `sweep_run` the id of its own run in MLflow,
    `swept` its axes.
    """

    def __init__(
        self, folder: Path, store: Store, uri: str, key: str, sweep_run: str, swept: Sequence[str]
    ) -> None:
        self.folder, self.store, self.uri = folder, store, uri
        self.key, self.sweep_run, self.swept = key, sweep_run, swept
        self._known: dict[str, list[Run]] | None = None

    def send(self, entry: LedgerEntry, *, shown: bool) -> None:
        """Send a run that has ended as its ledger says; `shown` in the sweep's view. Nothing
        happens if it is there.

        Raises `Refused` for a damaged folder, and what MLflow raises.
        """
        place = place_of(self.folder, entry)
        state = states.load(place)
        lost = artifacts.lost(place, state)
        known = state.done and state.mark == self.sweep_run and state.uri == redacted(self.uri)
        grown = known and state.sent != _lines(place)
        if known and not grown and not lost:
            return
        run = Ended.read(self.folder, entry, own_id := f"{self.key}.{entry.key}")
        if run.began is not None and (run.ended > entry.time_ms or journal.is_alive(place)):
            return  # it has gone on since: the ledger will say how that ended
        found = self._found(own_id, run.began)
        if found is None:
            found = self._begin(run, shown)
            self._listed().setdefault(own_id, []).append(found)
        run_id = str(found.info.run_id)
        went_on = grown or found.data.tags.get("dlexp.status") != run.status
        if found.info.lifecycle_stage == "active" and (
            went_on or found.info.status == Status.RUNNING
        ):
            if went_on:
                self._reopen(run_id, run, found.data.tags)
            self._fill(run_id, run, found.data.params)
            self.store.client.set_terminated(run_id, run.status.mlflow, run.ended)
        elif lost and found.info.lifecycle_stage == "active":
            send_files(self.store, run_id, run.place, run.description)
        if place.is_dir():
            sent = State(
                redacted(self.uri),
                self.store.experiment_id,
                run_id,
                run.lines,
                True,
                mark=self.sweep_run,
            )
            sent.save(place)

    def hide(self, entries: Sequence[LedgerEntry]) -> None:
        """Take runs whose place another has taken out of the sweep's view; they stay in MLflow.

        Earlier attempts are among the deleted, of which MLflow lets nobody change a thing, and
        which no view shows.
        """
        wanted = {f"{self.key}.{entry.key}" for entry in entries}
        for run in self._search(f"tags.`{view.MEMBER}` = '{self.key}'") if wanted else ():
            if run.data.tags.get("dlexp.run_id") in wanted and run.info.lifecycle_stage == "active":
                self.store.client.delete_tag(run.info.run_id, view.MEMBER)

    def forget(self) -> None:
        """Ask MLflow anew: a call was not answered, and may have been carried out."""
        self._known = None

    def _found(self, own_id: str, began: int | None) -> Run | None:
        """What MLflow has of this attempt at the run; earlier attempts are deleted there."""
        runs = self._listed().get(own_id, [])
        same = [run for run in runs if began in (None, run.info.start_time)]
        for run in runs:
            if run not in same and run.info.lifecycle_stage == "active":
                self.store.client.delete_run(run.info.run_id)
        self._listed()[own_id] = same
        return min(same, key=lambda run: run.info.lifecycle_stage != "active", default=None)

    def _listed(self) -> dict[str, list[Run]]:
        """What MLflow has of the sweep's runs, asked once: this process is the only one to add any."""
        if self._known is None:
            known: dict[str, list[Run]] = {}
            for run in self._search(f"tags.`dlexp.run_id` LIKE '{self.key}.%'"):
                known.setdefault(run.data.tags["dlexp.run_id"], []).append(run)
            self._known = known
        return self._known

    def _search(self, wanted: str) -> Iterator[Run]:
        from mlflow.entities import ViewType

        home, token = [self.store.experiment_id], None
        while True:
            some = self.store.client.search_runs(
                home, wanted, ViewType.ALL, max_results=1000, page_token=token
            )
            yield from some
            token = some.token
            if not token:
                return

    def _begin(self, run: Ended, shown: bool) -> Run:
        tags = {**run.tags, view.GROUP: label(self.swept, run.params)} | (
            {view.MEMBER: self.key} if shown else {}
        )
        name = run_name(self.swept, run.params, run.name)
        began = run.ended if run.began is None else run.began
        return self.store.client.create_run(
            self.store.experiment_id, start_time=began, tags=tags, run_name=name
        )

    def _reopen(self, run_id: str, run: Ended, tags: Mapping[str, str]) -> None:
        """Take up a run that was sent as cut short, and has gone on since."""
        from mlflow.entities import RunTag

        self.store.client.update_run(run_id, Status.RUNNING)  # until all of it is there
        changed = [RunTag(key, value) for key, value in run.tags.items() if tags.get(key) != value]
        self.store.client.log_batch(run_id, tags=changed)

    def _fill(self, run_id: str, run: Ended, logged: Mapping[str, str]) -> None:
        """The files; parameters and measurements together, as many as MLflow takes in one call; the
        data set.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

        client = self.store.client
        # MLflow reads the run for it, which is short as yet
        send_files(self.store, run_id, run.place, run.description)
        params = [Param(k, v) for k, v in run.params.items() if k not in logged]
        metrics = [Metric(p.name, p.value, p.time_ms, p.step) for p in run.points]
        first = METRICS - PARAMS
        client.log_batch(run_id, metrics=metrics[:first], params=params[:PARAMS])
        for some in batches(params[PARAMS:], PARAMS):
            client.log_batch(run_id, params=some)
        for more in batches(metrics[first:], METRICS):
            client.log_batch(run_id, metrics=more)
        if run.data:
            tags = [InputTag("mlflow.data.context", "training")]
            client.log_inputs(run_id, datasets=[DatasetInput(Dataset(**run.data), tags)])


def _lines(folder: Path) -> int:
    """The complete lines of a run's journal."""
    try:
        return (folder / journal.EVENTS).read_bytes().count(b"\n")
    except OSError:
        return 0
