"""The progress line of a sweep: counts of runs by status, rate, time left."""

from __future__ import annotations

import sys
from collections import Counter
from types import TracebackType

from dlexp.storage.status import Status


class ProgressLine:
    """One line on stderr, redrawn when a run starts or ends, on a terminal every second.

    Use it in a `with` block.
    """

    def __init__(self, total: int, already: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total,
            initial=already,
            unit="run",
            file=sys.stderr,
            dynamic_ncols=True,
            leave=False,
            mininterval=0,
        )
        self._counts: Counter[Status] = Counter()
        self._running: set[int] = set()
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def started(self, number: int) -> None:
        """Count a run as running."""
        self._running.add(number)
        self._show(refresh=self._terminal)

    def ended(self, number: int, status: Status) -> None:
        """Count a run as ended."""
        self._running.discard(number)
        self._counts[status] += 1
        self._show(refresh=False)
        self._bar.update()

    def left_out(self, number: int) -> None:
        """A run was not trained after all."""
        self._running.discard(number)
        self._show(refresh=self._terminal)

    def refresh(self) -> None:
        """Show the elapsed time."""
        if self._terminal:
            self._bar.refresh()

    def _show(self, *, refresh: bool) -> None:
        failed = sum(n for status, n in self._counts.items() if not status.is_result)
        diverged = self._counts[Status.DIVERGED]
        counts = f"{len(self._running)} running, {failed} failed, {diverged} diverged"
        self._bar.set_postfix_str(counts, refresh=refresh)
