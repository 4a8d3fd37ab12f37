"""Observers at a run: each with its own state, told of every moment; one that fails harms nobody."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from dlexp.core import kinds
from dlexp.errors import is_of_the_machine
from dlexp.storage import checkpoint

if TYPE_CHECKING:
    from dlexp.runs.run import Run

log = logging.getLogger("dlexp")


class ObserverRunner:
    """An observer at one run; if it raises it is logged and heard no more."""

    def __init__(self, observer: kinds.Observer, run: Run) -> None:
        self.observer, self.run, self.state = observer, run, SimpleNamespace()
        self.broken = self.resumed = False

    def start(self) -> None:
        """Tell it of the beginning; one that goes on with the state it was saved with has begun
        long ago.
        """
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
            said = "observer %s failed in %s and looks no more; the run goes on"
            if is_of_the_machine(e):
                log.error(f"{said}: %s", self.observer.name, moment, e)
            else:
                log.exception(said, self.observer.name, moment)

    def state_dict(self) -> dict[str, Any] | None:
        """Its state, if that is plain data; None where it is not: such an observer starts anew in a
        resumed run.
        """
        held = vars(self.state)
        return {"state": held, "broken": self.broken} if checkpoint.is_data(held) else None

    def load_state_dict(self, saved: Mapping[str, Any] | None) -> None:
        """Go on with what `state_dict` gave."""
        if saved is not None:
            self.state, self.broken, self.resumed = (
                SimpleNamespace(**saved["state"]),
                saved["broken"],
                True,
            )
