"""Optimizers."""

import numpy as np

from dlexp import positive
from faults import MEMORY, STOPS, Plain, wrong


@wrong("descends_a_parabola")
class Ascent(Plain):
    def update(self, w, g, s, lr, t):
        w += lr * g


@wrong("stays_in_float32")
class Wide(Plain):
    eps: float = positive(1e-2)

    def update(self, w, g, s, lr, t):
        w -= lr * g / np.sqrt(1 + self.eps)


@wrong("block_size_is_invisible")
class Neighbourly(Plain):
    def update(self, w, g, s, lr, t):
        w -= lr * g / (1 + float(abs(g).max()))


@wrong(
    "resumes_bit_for_bit",
    also=(
        "block_size_is_invisible changes_slots_in_place is_deterministic leaves_the_gradient_alone"
        " updates_in_place same_seed_gives_the_same_bits uses_the_lr_it_is_handed"
        " zero_gradient_does_not_move_fresh_weights"
    ),
)
class Amnesiac(Plain):
    def update(self, w, g, s, lr, t):
        key = w.shape
        MEMORY[key] = 0.9 * MEMORY.get(key, 0) + g
        w -= lr * MEMORY[key]


@wrong(
    "changes_slots_in_place",
    also=(
        f"{STOPS} block_size_is_invisible descends_a_parabola is_deterministic"
        " leaves_the_gradient_alone resumes_bit_for_bit stays_in_float32 updates_in_place"
        " uses_the_lr_it_is_handed zero_gradient_does_not_move_fresh_weights"
    ),
)
class Rebinding(Plain):
    slots = ("v",)

    def update(self, w, g, s, lr, t):
        s.v = 0.9 * s.v + g
        w -= lr * s.v


@wrong("changes_slots_in_place", also="resumes_bit_for_bit")
class Undeclared(Plain):
    def update(self, w, g, s, lr, t):
        s.v = 0.9 * vars(s).get("v", 0) + g
        w -= lr * s.v


@wrong("is_deterministic", also="block_size_is_invisible uses_the_lr_it_is_handed")
class Moody(Plain):
    def update(self, w, g, s, lr, t):
        MEMORY["mood"] = 1 - MEMORY.get("mood", 0)
        w -= lr * g * (1 + MEMORY["mood"])


@wrong("updates_in_place", also="descends_a_parabola uses_the_lr_it_is_handed")
class Elsewhere(Plain):
    def update(self, w, g, s, lr, t):
        return w - lr * g


@wrong("leaves_the_gradient_alone")
class Grabbing(Plain):
    def update(self, w, g, s, lr, t):
        g *= lr
        w -= g


@wrong("zero_gradient_does_not_move_fresh_weights")
class Decaying(Plain):
    def update(self, w, g, s, lr, t):
        w -= lr * (g + 0.01 * w)


@wrong("uses_the_lr_it_is_handed")
class Stubborn(Plain):
    def update(self, w, g, s, lr, t):
        w -= self.lr * g
