"""Initializers, schedules and surfaces."""

from dataclasses import dataclass

import numpy as np

from dlexp import Initializer, Schedule, Surface, between, fraction
from faults import MEMORY, STOPS, wrong

# Initializers.


@dataclass(frozen=True, kw_only=True)
class Gaussian(Initializer):
    def __call__(self, rng, fan_in, fan_out):
        return rng.normal(0, self.documented_std(fan_in, fan_out), (fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return fan_in**-0.5


@wrong("draws_from_the_given_rng_only")
class Fixed(Gaussian):
    def __call__(self, rng, fan_in, fan_out):
        return super().__call__(np.random.default_rng(0), fan_in, fan_out)


@wrong("has_the_shape_it_is_asked_for", also=f"{STOPS}")
class Transposed(Gaussian):
    def __call__(self, rng, fan_in, fan_out):
        return super().__call__(rng, fan_in, fan_out).T


@wrong("has_the_std_it_documents")
class Outward(Gaussian):
    def __call__(self, rng, fan_in, fan_out):
        return rng.normal(0, fan_out**-0.5, (fan_in, fan_out))


@wrong("has_mean_zero", "one_sided")
class OneSided(Gaussian):
    def __call__(self, rng, fan_in, fan_out):
        return 0.05 * fan_in**-0.5 + super().__call__(rng, fan_in, fan_out)


# Schedules.


@wrong("is_a_factor_at_every_step")
class Overheated(Schedule):
    def __call__(self, t, total):
        return 1 + t / total


@wrong("is_a_factor_at_every_step", also="lets_something_be_learned")
class Linear(Schedule):
    floor: float = between(0, 1, 0.0)

    def __call__(self, t, total):
        return 1 - (1 - self.floor) * t / (total - 1)


@wrong("gives_a_plain_number")
class Heavy(Schedule):
    gamma: float = fraction(0.9)

    def __call__(self, t, total):
        return np.float64(self.gamma) ** t


@wrong("lets_something_be_learned")
class Asleep(Schedule):
    def __call__(self, t, total):
        return 0.0


@wrong("depends_on_nothing_but_the_step", also="same_seed_gives_the_same_bits")
class Drifting(Schedule):
    def __call__(self, t, total):
        MEMORY["factor"] = MEMORY.get("factor", 1.0) * 0.999
        return MEMORY["factor"]


# Surfaces.


@dataclass(frozen=True, kw_only=True)
class Bowl(Surface):
    start: tuple[float, ...] = (1.0, 1.0)
    window = ((-2, 2), (-2, 2))
    minimum = (0.0, 0.0)

    def f(self, x, y):
        return x**2 + 3 * y**2

    def gradient(self, x, y):
        return 2 * x, 6 * y


@wrong("gradient")
class Tilted(Bowl):
    def gradient(self, x, y):
        return 2 * x, 5 * y


@wrong("minimum_is_a_minimum")
class Misplaced(Bowl):
    minimum = (0.5, 0.0)


@wrong("start_and_minimum_are_in_the_window")
class Outside(Bowl):
    start: tuple[float, ...] = (3.0, 1.0)


@wrong("takes_arrays")
class Scalar(Bowl):
    def f(self, x, y):
        return (x**2 if x > 0 else x * x) + 3 * y**2
