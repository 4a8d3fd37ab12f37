"""Plugins of no matter which kind."""

import sys
from functools import partial

import numpy as np

from dlexp import FieldError
from faults import RANDOM, Plain, wrong


@wrong("can_be_built_from_its_defaults")
class Needy(Plain):
    power: float

    def __post_init__(self):
        super().__post_init__()


@wrong("documented", doc=None, also="names_its_source")
class Silent(Plain): ...


@wrong("documented", doc="Terse(lr=0.1)\n\nSource: nobody (2026), https://example.org")
class Terse(Plain): ...


@wrong("names_its_source", doc="w ← w − lr·g, as somebody once said.")
class Anonymous(Plain): ...


@wrong("frozen")
class Thawed(Plain): ...


Thawed.__setattr__ = object.__setattr__


@wrong("file_is_called_like_the_plugin")
class Misfiled(Plain): ...


Misfiled.__module__ = "dlexp.plugins.optimizer.another"
sys.modules.setdefault("dlexp.plugins.optimizer.another", sys.modules[__name__])


@wrong("class_is_called_like_the_plugin", "very_steep")
class Gentle(Plain): ...


def _local():
    @wrong("is_found_at_its_import_path")
    class Hidden(Plain): ...


_local()


@wrong("survives_config", also="survives_json")
class Functional(Plain):
    norm: object = partial(abs)


@wrong("survives_json", also="survives_config")
class Complex(Plain):
    phase: complex = 1j


@wrong("refuses_nan_and_infinity", also="enforces_its_ranges")
class Credulous(Plain):
    def __post_init__(self):
        """Checks nothing: super().__post_init__() is not called."""


@wrong("enforces_its_ranges")
class Generous(Plain):
    def __post_init__(self):
        try:
            super().__post_init__()
        except FieldError as e:
            if "finite" in str(e):
                raise


@wrong("keeps_no_state_on_itself")
class Counting(Plain):
    seen = []

    def update(self, w, g, s, lr, t):
        self.seen.append(t)
        w -= lr * g


@wrong("draws_on_no_global_random_state", also=f"{RANDOM} same_seed_gives_the_same_bits")
class Careless(Plain):
    def update(self, w, g, s, lr, t):
        w -= lr * g * np.random.random()


@wrong("same_seed_gives_the_same_bits", also=f"{RANDOM}")
class Unseeded(Plain):
    def update(self, w, g, s, lr, t):
        w -= lr * g * np.random.default_rng().random(dtype=w.dtype)
