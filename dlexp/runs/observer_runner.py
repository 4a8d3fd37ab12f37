"""Calls the observers of a run. Each has its own state; a failed one is not called again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from dlexp.core.kinds.observer import Observer
from dlexp.core.observed import ObservedRun
from dlexp.errors import is_of_the_machine
from dlexp.storage import checkpoint

log = logging.getLogger("dlexp")


class ObserverRunner:
    """An observer of one run; if it raises, that is logged and it is not called again."""

    def __init__(self, observer: Observer, run: ObservedRun) -> None:
        self.observer, self.run, self.state = observer, run, SimpleNamespace()
        self.broken = self.resumed = False

    def start(self) -> None:
        """Call `start`, unless the observer continues with a saved state."""
        if not self.resumed:
            self.notify("start")

    def notify(self, moment: str, *news: Any) -> None:
        """Call `start`, `record` or `finish` on the observer."""
        if self.broken:
            return
        try:
            getattr(self.observer, moment)(self.run, self.state, *news)
        except (Exception, SystemExit) as e:
            self.broken = True
            message = "observer %s failed in %s and is not called again; the run goes on"
            if is_of_the_machine(e):
                log.error(f"{message}: %s", self.observer.name, moment, e)
            else:
                log.exception(message, self.observer.name, moment)

    def state_dict(self) -> dict[str, Any] | None:
        """Its state, if it is plain data; else None, and it starts again in a resumed run."""
        state = vars(self.state)
        return {"state": state, "broken": self.broken} if checkpoint.is_data(state) else None

    def load_state_dict(self, saved: Mapping[str, Any] | None) -> None:
        """Continue with a state from `state_dict`."""
        if saved is not None:
            self.state = SimpleNamespace(**saved["state"])
            self.broken, self.resumed = saved["broken"], True


class ObserverRunners(list[ObserverRunner]):
    """The observers of one run, in order; those whose needs it does not meet are left out."""

    def __init__(self, run: ObservedRun) -> None:
        chosen = run.experiment.observer
        super().__init__(ObserverRunner(o, run) for o in chosen if not o.lacks(run))

    def start(self) -> None:
        """Before the first step, or before a resumed run continues."""
        for runner in self:
            runner.start()

    def notify(self, moment: str, *news: Any) -> None:
        """Call `record` or `finish` on each observer."""
        for runner in self:
            runner.notify(moment, *news)

    def state_dict(self) -> dict[str, Any]:
        """The state of each by its name."""
        return {runner.observer.name: runner.state_dict() for runner in self}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        for runner in self:
            runner.load_state_dict(saved.get(runner.observer.name))
