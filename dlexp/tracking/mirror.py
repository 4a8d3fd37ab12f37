"""One run in MLflow: begin, fill, end. Each step may be interrupted and repeated.

The next sender finds the run by its tag `dlexp.run_id` and sends what is missing; what was sent
twice is stored once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dlexp.errors import UserError
from dlexp.storage.lines import JournalEvent
from dlexp.storage.records import RUN_FILE, RunDescription, to_json
from dlexp.storage.status import Status
from dlexp.tracking import artifacts, model, redacted, state as states, translate
from dlexp.tracking.artifacts import FIGURES, FILES, NETWORK
from dlexp.tracking.state import Refused, State
from dlexp.tracking.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

METRICS, PARAMS = 1000, 100  # MLflow's limits for one call

LOST = (
    "its journal has lost lines that MLflow has: restore a copy (from its artifacts in MLflow), or"
    " resume the run"
)

T = TypeVar("T")
Events = Sequence[JournalEvent]


class Mirror:
    """The copy of a run folder in an open store.

    Finds the run in MLflow or begins it. Raises `Refused` for a run that was deleted in MLflow.
    """

    def __init__(
        self, folder: Path, store: Store, uri: str, description: RunDescription, events: Events
    ) -> None:
        self.folder, self.store, self.uri, self.description = folder, store, uri, description
        self.state = states.load(folder)
        # MLflow's measurements, once requested
        self._there: set[tuple[str, int, float]] | None = None
        run = find(store, self.state, uri, description.id)
        if run is None:
            self.state = State(redacted(uri), store.experiment_id, self._begin(events))
        elif run.info.lifecycle_stage != "active":
            raise Refused("the run was deleted in MLflow; restore it there to have it sent")
        elif (self.state.uri, self.state.run_id) != (redacted(uri), run.info.run_id):
            self.state = State(redacted(uri), run.info.experiment_id, run.info.run_id, ask=True)
        self.state.error = None
        if self.state.done and artifacts.lost(folder, self.state):
            self.state.done = False  # they are sent again
        self.state.save(folder)
        if not self.state.done:
            self._describe(run.data.params if run else {})

    @property
    def run_id(self) -> str:
        """MLflow's id of the run."""
        return str(self.state.run_id)

    def send(self, events: Events) -> None:
        """Send the new measurements in a journal's events.

        Raises `Refused` for a journal that has lost sent lines: MLflow's copy may be the only one.
        """
        from mlflow.entities import Metric

        if not self.state.fits(events):
            if not any(event.kind == "resume" for event in events):
                raise Refused(LOST)
            self.state.count(events, 0)
            self.state.ask = True
        if self.state.sent == len(events):
            return
        if self.state.done:  # it was resumed after it had ended
            self.state.done = False
            self.store.client.update_run(self.run_id, Status.RUNNING)
            self.store.client.set_tag(self.run_id, "dlexp.status", Status.RUNNING)
        for some in batches(self._new(translate.points(events, after=self.state.sent)), METRICS):
            metrics = [Metric(p.name, p.value, p.time_ms, p.step) for p in some]
            self.store.client.log_batch(self.run_id, metrics=metrics)
            # the next batch may contain the rest of the last line
            self.state.count(events, some[-1].line - 1)
            self.state.save(self.folder)
        self.state.count(events, len(events))
        self.state.save(self.folder)

    def finish(self, events: Events) -> None:
        """Send files, model and status; a journal without an end is that of a killed run."""
        from mlflow.entities import RunTag

        if self.state.done:
            return
        last = events[-1] if events else None
        status, error = (last.status, last.error) if last else (None, None)
        status = status or Status.KILLED
        send_files(self.store, self.run_id, self.folder, self.description)
        if (self.description.tracking or {}).get("model") and (self.folder / NETWORK).exists():
            self._send_model(events)
        note = translate.note(self.description, events, self.folder, status, error)
        tags = [RunTag("dlexp.status", status), RunTag("mlflow.note.content", note)]
        tags += [RunTag(name, text) for name, text in translate.mixture(events).items()]
        self.store.client.log_batch(self.run_id, tags=tags)
        ended = last.time_ms if last else self.description.created_ms
        self.store.client.set_terminated(self.run_id, status.mlflow, ended)
        self.state.done = True
        self.state.save(self.folder)

    def _new(self, points: Iterator[translate.Point]) -> Iterator[translate.Point]:
        """The measurements that MLflow does not have, if that is in doubt."""
        if not self.state.ask:
            return points
        if self._there is None:
            names = self.store.client.get_run(self.run_id).data.metrics
            metrics = (
                m for name in names for m in self.store.client.get_metric_history(self.run_id, name)
            )
            self._there = {(m.key, m.step, m.value) for m in metrics}
        there = self._there
        return (p for p in points if (p.name, p.step, p.value) not in there)

    def _begin(self, events: Events) -> str:
        began = next((e.time_ms for e in events if e.kind == "start"), self.description.created_ms)
        note = translate.note(self.description, events, self.folder, Status.RUNNING, None)
        tags = {
            **translate.tags(self.description),
            "dlexp.status": Status.RUNNING,
            "mlflow.note.content": note,
        }
        name = translate.run_name(self.description)
        begun = self.store.client.create_run(
            self.store.experiment_id, start_time=began, tags=tags, run_name=name
        )
        return str(begun.info.run_id)

    def _describe(self, logged: dict[str, str]) -> None:
        """Send missing parameters, which MLflow never changes, and the data set."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Param

        missing = [
            Param(k, v) for k, v in translate.params(self.description).items() if k not in logged
        ]
        for some in batches(missing, PARAMS):
            self.store.client.log_batch(self.run_id, params=some)
        if data := translate.dataset(self.description):
            tags = [InputTag("mlflow.data.context", "training")]
            self.store.client.log_inputs(
                self.run_id, datasets=[DatasetInput(Dataset(**data), tags)]
            )

    def _send_model(self, events: Events) -> None:
        """Log the network with its test scores; an unreadable one is left out with a warning."""
        points = list(translate.points(events))
        try:
            model.log_network(
                self.store,
                self.run_id,
                self.folder / NETWORK,
                params=translate.params(self.description),
                scores=[p for p in points if p.name.startswith("test/")],
                data=translate.dataset(self.description),
                step=max((p.step for p in points), default=0),
            )
        except UserError as e:
            print(f"{self.folder}: sent without its model: {e}", flush=True)


def find(store: Store, state: State, uri: str, own_id: str) -> Run | None:
    """Find a run in MLflow by the id in `mlflow.json` or by its tag; None if it is missing."""
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    if not re.fullmatch(r"[\w.-]{1,200}", own_id):
        raise Refused(f"the run folder is damaged: its id is {own_id[:50]!r}")
    if state.run_id and state.uri == redacted(uri):
        try:
            return store.client.get_run(state.run_id)
        except MlflowException as e:
            if e.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    wanted = f"tags.`dlexp.run_id` = '{own_id}'"
    return next(
        iter(store.client.search_runs([store.experiment_id], wanted, ViewType.ALL, max_results=1)),
        None,
    )


def send_files(store: Store, run_id: str, folder: Path, description: RunDescription) -> None:
    """Send the files of a run folder under the same names; earlier copies are overwritten."""
    tracking = description.tracking or {}
    uri = str(tracking.get("uri", ""))
    if uri != redacted(uri):
        without = replace(description, tracking={**tracking, "uri": redacted(uri)})
        text = (
            json.dumps(to_json(without), indent=2, ensure_ascii=False)
            .encode("utf-8", "replace")
            .decode()
        )
        store.client.log_text(run_id, text, RUN_FILE)
    for name in FILES if uri != redacted(uri) else (RUN_FILE, *FILES):
        if (folder / name).is_file():
            store.client.log_artifact(run_id, str(folder / name))
    if (folder / FIGURES).is_dir():
        store.client.log_artifacts(run_id, str(folder / FIGURES), FIGURES)


def batches(items: Iterator[T] | Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
