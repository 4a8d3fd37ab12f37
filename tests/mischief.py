"""A schedule that leaves the learning rate alone, and does what a test wants at a step."""

from contextlib import contextmanager

from dlexp import Schedule, plugin
from dlexp.core.registry import unregister


@contextmanager
def mischief(at, do):
    """Inside, `schedule=mischief` calls `do` before step `at`, each time it comes there."""

    @plugin("mischief")
    class Mischief(Schedule):
        """A constant rate, with something on its mind."""

        def __call__(self, t, total):
            if t == at:
                do()
            return 1.0

    try:
        yield
    finally:
        unregister(Mischief)
