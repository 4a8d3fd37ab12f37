"""Sends the ended runs of a sweep to MLflow, each as a whole, in as few calls as possible.

Also after an interruption at any moment, a run is there once. A resumed run is completed there; a
run that was trained again replaces the earlier one, which MLflow keeps as deleted.
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
    """The runs of one sweep: `key` is the sweep's, `sweep_run` its own run, `swept` its axes."""

    def __init__(
        self, folder: Path, store: Store, uri: str, key: str, sweep_run: str, swept: Sequence[str]
    ) -> None:
        self.folder, self.store, self.uri = folder, store, uri
        self.key, self.sweep_run, self.swept = key, sweep_run, swept
        self._known: dict[str, list[Run]] | None = None

    def send(self, entry: LedgerEntry, *, visible: bool) -> None:
        """Send an ended run by its ledger entry, `visible` in the sweep's view, unless it is there.

        Raises `Refused` for a damaged folder, and MLflow's exceptions.
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
            return  # it has been resumed since: the ledger will report its end
        copy = self._copy_of(own_id, run.began)
        if copy is None:
            copy = self._begin(run, visible)
            self._listed().setdefault(own_id, []).append(copy)
        run_id = str(copy.info.run_id)
        went_on = grown or copy.data.tags.get("dlexp.status") != run.status
        if copy.info.lifecycle_stage == "active" and (
            went_on or copy.info.status == Status.RUNNING
        ):
            if went_on:
                self._reopen(run_id, run, copy.data.tags)
            self._fill(run_id, run, copy.data.params)
            self.store.client.set_terminated(run_id, run.status.mlflow, run.ended)
        elif lost and copy.info.lifecycle_stage == "active":
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
        """Take replaced runs out of the sweep's view; they stay in MLflow.

        Earlier attempts are deleted ones, which MLflow does not change and no view shows.
        """
        wanted = {f"{self.key}.{entry.key}" for entry in entries}
        for run in self._search(f"tags.`{view.MEMBER}` = '{self.key}'") if wanted else ():
            if run.data.tags.get("dlexp.run_id") in wanted and run.info.lifecycle_stage == "active":
                self.store.client.delete_tag(run.info.run_id, view.MEMBER)

    def forget(self) -> None:
        """Ask MLflow again: an unanswered call may have been carried out."""
        self._known = None

    def _copy_of(self, own_id: str, began: int | None) -> Run | None:
        """MLflow's copy of this attempt at the run; earlier attempts are deleted there."""
        runs = self._listed().get(own_id, [])
        same = [run for run in runs if began in (None, run.info.start_time)]
        for run in runs:
            if run not in same and run.info.lifecycle_stage == "active":
                self.store.client.delete_run(run.info.run_id)
        self._listed()[own_id] = same
        return min(same, key=lambda run: run.info.lifecycle_stage != "active", default=None)

    def _listed(self) -> dict[str, list[Run]]:
        """The sweep's runs in MLflow, requested once: only this process adds any."""
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

    def _begin(self, run: Ended, visible: bool) -> Run:
        tags = {**run.tags, view.GROUP: label(self.swept, run.params)} | (
            {view.MEMBER: self.key} if visible else {}
        )
        name = run_name(self.swept, run.params, run.name)
        began = run.ended if run.began is None else run.began
        return self.store.client.create_run(
            self.store.experiment_id, start_time=began, tags=tags, run_name=name
        )

    def _reopen(self, run_id: str, run: Ended, tags: Mapping[str, str]) -> None:
        """Reopen a run that was sent as interrupted and has been resumed since."""
        from mlflow.entities import RunTag

        self.store.client.update_run(run_id, Status.RUNNING)  # until it is complete
        changed = [RunTag(key, value) for key, value in run.tags.items() if tags.get(key) != value]
        self.store.client.log_batch(run_id, tags=changed)

    def _fill(self, run_id: str, run: Ended, logged: Mapping[str, str]) -> None:
        """Send files, data set, and parameters with measurements, as many as one call can take."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

        client = self.store.client
        # MLflow reads the run for it, while it is still short
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
