"""Calls the observers of a run. Each has its own state; one that fails is not called again."""

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
    """An observer at one run; if it raises, it is logged and not called again."""

    def __init__(self, observer: Observer, run: ObservedRun) -> None:
        self.observer, self.run, self.state = observer, run, SimpleNamespace()
        self.broken = self.resumed = False

    def start(self) -> None:
        """Call `start`, unless the observer goes on with a saved state."""
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
            message = "observer %s failed in %s and looks no more; the run goes on"
            if is_of_the_machine(e):
                log.error(f"{message}: %s", self.observer.name, moment, e)
            else:
                log.exception(message, self.observer.name, moment)

    def state_dict(self) -> dict[str, Any] | None:
        """Its state, if that is plain data; None where it is not: such an observer starts anew in a
        resumed run.
        """
        held = vars(self.state)
        return {"state": held, "broken": self.broken} if checkpoint.is_data(held) else None

    def load_state_dict(self, saved: Mapping[str, Any] | None) -> None:
        """Go on with what `state_dict` gave."""
        if saved is not None:
            self.state = SimpleNamespace(**saved["state"])
            self.broken, self.resumed = saved["broken"], True


class ObserverRunners(list[ObserverRunner]):
    """The observers of one run, in their order; those that need what it has not are left out."""

    def __init__(self, run: ObservedRun) -> None:
        chosen = run.experiment.observer
        super().__init__(ObserverRunner(o, run) for o in chosen if not o.lacks(run))

    def start(self) -> None:
        """Before the first step, or before a resumed run goes on."""
        for runner in self:
            runner.start()

    def notify(self, moment: str, *news: Any) -> None:
        """Call `record` or `finish` on each."""
        for runner in self:
            runner.notify(moment, *news)

    def state_dict(self) -> dict[str, Any]:
        """The state of each by its name."""
        return {runner.observer.name: runner.state_dict() for runner in self}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        for runner in self:
            runner.load_state_dict(saved.get(runner.observer.name))
