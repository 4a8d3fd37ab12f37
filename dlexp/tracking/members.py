"""The runs of a sweep in MLflow: each is sent whole when it has ended, in as few calls as there can be.

Also cut short at any moment, a run is there once. One that was trained again replaces what was there: MLflow keeps that
among the deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlexp import journal
from dlexp.tracking import redacted, state as states, translate, view
from dlexp.tracking.mirror import METRICS, PARAMS, batches, send_files
from dlexp.tracking.state import State
from dlexp.tracking.store import Store
from dlexp.tracking.sweep_folder import Description, Entry, label, place_of, read

if TYPE_CHECKING:
    from mlflow.entities import Run


class Members:
    """The runs of one sweep: `key` is the sweep's, `sweep_run` the id of its own run in MLflow, `swept` its axes."""

    def __init__(self, folder: Path, store: Store, uri: str, key: str, sweep_run: str, swept: Sequence[str]) -> None:
        self.folder, self.store, self.uri = folder, store, uri
        self.key, self.sweep_run, self.swept = key, sweep_run, swept
        self._known: dict[str, list[Run]] | None = None

    def send(self, entry: Entry, *, shown: bool) -> None:
        """Send a run that has ended as its ledger says; `shown` in the sweep's view. Nothing happens if it is there.

        Raises `Refused` for a damaged folder, and what MLflow raises.
        """
        place = place_of(self.folder, entry)
        state = states.load(place)
        if state.done and state.mark == self.sweep_run and state.uri == redacted(self.uri):
            return
        description, events = read(place, entry)
        began = next((int(e["time_ms"]) for e in events if e["event"] == "start"), 0)
        if began > int(entry["time_ms"]) or (events and journal.is_alive(place)):
            return  # it is being trained again: the ledger will say how that ended
        description["id"] = f"{self.key}.{entry['key']}"
        run = self._found(description["id"], began)
        if run is None or (run.info.status == "RUNNING" and run.info.lifecycle_stage == "active"):
            run_id = run.info.run_id if run else self._begin(place, entry, description, events, began, shown)
            self._fill(run_id, place, description, events, run.data.params if run else {})
            ended = int(events[-1]["time_ms"]) if events else int(entry["time_ms"])
            status = translate.ENDED.get(str(entry["status"]), "FAILED")
            self.store.client.set_terminated(run_id, status, ended)
        else:
            run_id = run.info.run_id
        if place.is_dir():
            done = State(redacted(self.uri), self.store.experiment_id, run_id, len(events), True, mark=self.sweep_run)
            done.save(place)

    def hide(self, entries: Sequence[Entry]) -> None:
        """Take runs whose place another has taken out of the sweep's view; they stay in MLflow."""
        for entry in entries:
            run_id = states.load(place_of(self.folder, entry)).run_id
            if run_id and view.MEMBER in self.store.client.get_run(run_id).data.tags:
                self.store.client.delete_tag(run_id, view.MEMBER)

    def _found(self, own_id: str, began: int) -> Run | None:
        """What MLflow has of this attempt at the run; it deletes earlier attempts."""
        runs = self._listed().get(own_id, [])
        same = [run for run in runs if run.info.start_time == began or not began]
        for run in runs:
            if run not in same and run.info.lifecycle_stage == "active":
                self.store.client.delete_run(run.info.run_id)
        return next(iter(sorted(same, key=lambda run: run.info.lifecycle_stage != "active")), None)

    def _listed(self) -> dict[str, list[Run]]:
        """What MLflow has of the sweep's runs, asked once: from then on this process is the only one to add any."""
        from mlflow.entities import ViewType

        if self._known is None:
            known: dict[str, list[Run]] = {}
            wanted, token = f"tags.`dlexp.run_id` LIKE '{self.key}.%'", None
            while True:
                some = self.store.client.search_runs(
                    [self.store.experiment_id], wanted, ViewType.ALL, max_results=1000, page_token=token
                )
                for run in some:
                    known.setdefault(run.data.tags["dlexp.run_id"], []).append(run)
                token = some.token
                if not token:
                    break
            self._known = known
        return self._known

    def _begin(
        self, place: Path, entry: Entry, description: Description, events: Sequence[translate.Event], began: int,
        shown: bool,
    ) -> str:  # fmt: skip
        status = str(entry["status"])
        error = entry.get("error") or (events[-1].get("error") if events else None)
        note = translate.note(description, events, place, status, error)
        tags = translate.tags(description) | {"dlexp.status": status, "mlflow.note.content": note}
        tags[view.GROUP] = label(self.swept, translate.params(description))
        tags |= {view.MEMBER: self.key} if shown else {}
        name = translate.run_name(description)
        start = began or int(entry["time_ms"])
        run = self.store.client.create_run(self.store.experiment_id, start_time=start, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _fill(
        self, run_id: str, place: Path, description: Description, events: Sequence[translate.Event],
        logged: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Parameters and measurements together, as many as MLflow takes in one call; the data set; the files."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

        params = [Param(k, v) for k, v in translate.params(description).items() if k not in logged]
        metrics = [Metric(p.name, p.value, p.time_ms, p.step) for p in translate.points(events)]
        first = METRICS - PARAMS
        self.store.client.log_batch(run_id, metrics=metrics[:first], params=params[:PARAMS])
        for some in batches(params[PARAMS:], PARAMS):
            self.store.client.log_batch(run_id, params=some)
        for more in batches(metrics[first:], METRICS):
            self.store.client.log_batch(run_id, metrics=more)
        if data := translate.dataset(description):
            tags = [InputTag("mlflow.data.context", "training")]
            self.store.client.log_inputs(run_id, datasets=[DatasetInput(Dataset(**data), tags)])
        send_files(self.store, run_id, place, description)
