"""Follows a sweep folder: sends runs as the ledger names them, at the end the sweep's own run.

A run that the ledger does not name has not ended: it will be trained again, and is not sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dlexp.storage import journal
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.records import SWEEP_FILE, SweepDescription
from dlexp.storage.status import Status
from dlexp.tracking import (
    artifacts,
    experiment_link,
    redacted,
    state as states,
    sweep_page as page,
    view,
)
from dlexp.tracking.members import Members
from dlexp.tracking.mirror import PARAMS, find
from dlexp.tracking.run_follower import RunFollower, Stores
from dlexp.tracking.state import Refused, State
from dlexp.tracking.store import Store, explain
from dlexp.tracking.sweep_folder import LedgerFollower, survey


class SweepFollower(RunFollower):
    """Follows one sweep until no command works on it and it is sent."""

    def __init__(self, folder: Path, stores: Stores) -> None:
        super().__init__(folder, stores)
        self.sweep: SweepState | None = None
        self.ledger = LedgerFollower(folder)
        self.refused: dict[str, str] = {}

    def _read(self) -> bool:
        # before the ledger is read, so that all lines of a dead writer are read
        alive = journal.is_alive(self.folder)
        self.ledger.read()
        return not alive

    def _send(self, ended: bool) -> None:
        if self.sweep is None:
            description = self._described_sweep()
            self.sweep = SweepState(self.folder, self._store(description), self.uri, description)
            if not ended:
                self.sweep.stir(description, self.ledger)
        pending = self.ledger.pending
        while pending:
            key = next(iter(pending))
            self._send_one(self.sweep, pending[key])
            del pending[key]
            self._failures = 0
        if ended:
            # before it is read: what is written meanwhile is sent another time
            mark = states.mark(self.folder)
            self.sweep.finish(
                self._described_sweep(), self.ledger, mark, list(self.refused.values())
            )

    def _described_sweep(self) -> SweepDescription:
        return self._described(SweepDescription.read, SWEEP_FILE)

    def _send_one(self, sweep: SweepState, entry: LedgerEntry) -> None:
        """Send a run; one that cannot be sent must not stop others."""
        self.refused.pop(entry.key, None)
        try:
            sweep.members.send(entry, visible=self.ledger.is_current(entry))
        except Exception as e:
            sweep.members.forget()
            message, final = explain(e, self.uri)
            if not (
                isinstance(e, Refused)
                or (final and getattr(e, "error_code", "") == "INVALID_PARAMETER_VALUE")
            ):
                raise
            print(f"{self.folder / entry.folder}: {message}", flush=True)
            self.refused[entry.key] = message


class SweepState:
    """A sweep in an open store: its own run, and its runs.

    Finds its own run or begins it; raises `Refused` if it was deleted in MLflow.
    """

    def __init__(self, folder: Path, store: Store, uri: str, description: SweepDescription) -> None:
        self.folder, self.store, self.uri, self.key = folder, store, uri, page.key(description)
        state = states.load(folder)
        own = find(store, state, uri, self.key)
        if own is not None and own.info.lifecycle_stage != "active":
            raise Refused(
                "the sweep's own run was deleted in MLflow; restore it there to have the sweep sent"
            )
        run_id = str(own.info.run_id) if own else self._begin(description)
        if (state.uri, state.run_id) != (redacted(uri), run_id):
            state = State(redacted(uri), store.experiment_id, run_id)
        state.error = None
        state.save(folder)
        self.state, self.run_id = state, run_id
        self.members = Members(folder, store, uri, self.key, run_id, list(description.axes))

    def stir(self, description: SweepDescription, ledger: LedgerFollower) -> None:
        """Mark the sweep as running, and show what there is so far."""
        self.state.done = False
        self.state.save(self.folder)
        self.store.client.update_run(self.run_id, Status.RUNNING)
        self.store.client.set_tag(self.run_id, "dlexp.status", Status.RUNNING)
        self._show(description, ledger.current())

    def finish(
        self,
        description: SweepDescription,
        ledger: LedgerFollower,
        mark: str,
        refused: Sequence[str],
    ) -> None:
        """Send the sweep's page, with number and reason of `refused` runs, and end its run."""
        from mlflow.entities import Param, RunTag

        client, current = self.store.client, ledger.current()
        if (
            self.state.done
            and self.state.mark == mark
            and not artifacts.lost(self.folder, self.state)
        ):
            self.state.error = None
            self.state.save(self.folder)
            return
        self.members.hide([e for e in ledger.entries.values() if not ledger.is_current(e)])
        self._show(description, current)
        if (self.folder / states.REPORT).is_dir():
            client.log_artifacts(self.run_id, str(self.folder / states.REPORT), states.REPORT)
        status = page.status(description, current)
        note = page.note(description, current, self.folder, status, self._link())
        tags = page.tags(description, status) | {"mlflow.note.content": note}
        logged = client.get_run(self.run_id).data.params
        params = [Param(k, v) for k, v in page.params(description).items() if k not in logged]
        client.log_batch(
            self.run_id,
            params=params[:PARAMS],
            tags=[RunTag(k, v) for k, v in tags.items()][:PARAMS],
        )
        client.update_run(self.run_id, name=page.name(description, len(current)))
        ended = max([e.time_ms for e in current], default=description.created_ms)
        client.set_terminated(self.run_id, status.mlflow, max(ended, description.ended_ms or 0))
        self.state.sent, self.state.done, self.state.mark = (
            len(ledger.entries) - len(refused),
            not refused,
            mark,
        )
        self.state.error = (
            f"{page.many(len(refused), 'run')} cannot be sent: {refused[0]}" if refused else None
        )
        self.state.save(self.folder)

    def _begin(self, description: SweepDescription) -> str:
        note = page.note(description, [], self.folder, Status.RUNNING, self._link())
        tags = page.tags(description, Status.RUNNING) | {"mlflow.note.content": note}
        run = self.store.client.create_run(
            self.store.experiment_id, description.created_ms, tags, page.name(description)
        )
        return str(run.info.run_id)

    def _link(self) -> str:
        return experiment_link("", self.store.experiment_id, self.key, charts=True).lstrip("/")

    def _show(self, description: SweepDescription, entries: Sequence[LedgerEntry]) -> None:
        """Make or renew the view of the sweep's runs, if the store has room for it."""
        from mlflow.exceptions import MlflowException

        own = survey(self.folder, description.axes, entries)
        views = {self.key: own.seeds, self.key + page.EACH: False}
        for key, grouped in views.items():
            state = view.sweep(self.key, own, grouped=grouped, searched=description.searched)
            name = description.id + ("" if key == self.key else ", each run")
            value = view.tag_value(name, state, time.time_ns() // 1_000_000)
            try:
                self.store.client.set_experiment_tag(
                    self.store.experiment_id, view.PREFIX + key, value
                )
            except MlflowException as e:
                print(f"{self.folder}: MLflow has no view of it: {e}", flush=True)
