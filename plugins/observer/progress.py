"""A progress bar on stderr, for people who wait."""

import os
import sys
from time import monotonic

from dlexp import Observer, plugin

PATIENCE = 10.0  # seconds between two lines where there is no terminal to draw a bar on


@plugin("progress")
class Progress(Observer):
    """A bar on stderr with epoch, training loss and validation accuracy; for runs above a second

    Where stderr is no terminal, a line every ten seconds instead. A closed stderr ends the bar, not
    the run.
    """

    live = True
    measures = ()

    def start(self, run, s):
        s.show, s.news = None, {}
        try:
            if sys.stderr is None or run.trainer.total == run.trainer.t:
                return
            s.show = Bar(run.trainer) if sys.stderr.isatty() else Lines(run.trainer)
        except (OSError, ValueError):  # stderr is closed
            s.show = None

    def record(self, run, s, record):
        if s.show is None:
            return
        s.news |= record.metrics
        try:
            s.show.update(record.step, _news(run, record, s.news))
        except (OSError, ValueError):
            s.show = None

    def finish(self, run, s, error):
        try:
            if getattr(s, "show", None) is not None:
                s.show.close()
        except (OSError, ValueError):
            s.show = None


def _news(run, record, newest):
    """`epoch 3, train loss 0.21, val accuracy 0.94`, from the newest values there are."""
    values = {name: newest[name] for name in ("train/loss", "val/accuracy") if name in newest}
    name = run.trainer.problem.epoch_name
    return [
        f"{name} {record.epoch}",
        *(f"{k.replace('/', ' ')} {v:.3g}" for k, v in values.items()),
    ]


class Bar:
    """A tqdm bar that appears after a second."""

    def __init__(self, trainer):
        from threading import RLock

        from tqdm import tqdm

        class Quiet(tqdm):
            """tqdm without monitor thread and lock between processes: a run has one bar."""

            monitor_interval = 0

        Quiet.set_lock(RLock())
        # some terminals say they have no columns
        width = {"dynamic_ncols": True} if _columns() else {"ncols": 80}
        # the news fits into 80 columns
        layout = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self.bar = Quiet(
            total=trainer.total,
            initial=trainer.t,
            delay=1,
            bar_format=layout,
            file=sys.stderr,
            **width,
        )

    def update(self, step, news):
        self.bar.set_postfix_str(", ".join(news), refresh=False)
        self.bar.update(step - self.bar.n)

    def close(self):
        self.bar.close()


def _columns():
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 0


class Lines:
    """A plain line now and then, fit for a log file."""

    def __init__(self, trainer):
        self.total, self.last = trainer.total, monotonic()

    def update(self, step, news):
        now = monotonic()
        if now - self.last >= PATIENCE:
            self.last = now
            print(f"step {step} of {self.total}: {', '.join(news)}", file=sys.stderr, flush=True)

    def close(self):
        """Nothing is open."""
