"""Models, and objectives on data."""

import sys
from dataclasses import dataclass, replace

import numpy as np

from dlexp import Dense, Layer, Model, each_positive
from dlexp.core.registry import find
from faults import MEMORY, wrong

# Models.


@dataclass(frozen=True, kw_only=True)
class Chain(Model):
    hidden: tuple[int, ...] = each_positive(4, 3)

    def layers(self, n_out, activation, normalization, noise):
        for units in self.hidden:
            yield Dense(units=units)
            yield normalization
            yield activation
            yield from noise
        yield Dense(units=self.outputs(n_out))

    def outputs(self, n_out):
        return n_out


@wrong("ends_in_one_number_per_class")
class Decimal(Chain):
    def outputs(self, n_out):
        return 10


@wrong("uses_what_it_is_handed")
class Deaf(Chain):
    def layers(self, n_out, activation, normalization, noise):
        yield from super().layers(n_out, activation, normalization, [])


@wrong("ends_in_logits")
class Squashing(Chain):
    def layers(self, n_out, activation, normalization, noise):
        yield from super().layers(n_out, activation, normalization, noise)
        yield activation


@wrong("is_laid_out_anew_each_time", also="same_seed_gives_the_same_bits")
class Growing(Chain):
    def layers(self, n_out, activation, normalization, noise):
        MEMORY["layers"] = MEMORY.get("layers", 0) + 1
        for _ in range(MEMORY["layers"] % 3):
            yield Dense(units=4)
        yield from super().layers(n_out, activation, normalization, noise)


@wrong(
    "has_weights_from_data_to_logits",
    also="ends_in_logits ends_in_one_number_per_class learns uses_what_it_is_handed",
)
class Weightless(Chain):
    def layers(self, n_out, activation, normalization, noise):
        yield normalization
        yield activation


class Skewed(Dense):
    def forward(self, x, p, ctx):
        y, backward = super().forward(x, p, ctx)

        def skewed(dy):
            dx = backward(dy)
            p.dW *= 0.9
            return dx

        return y, skewed


@wrong("gradient")
class Bent(Chain):
    def layers(self, n_out, activation, normalization, noise):
        yield Skewed(units=5)
        yield from super().layers(n_out, activation, normalization, noise)


@dataclass(frozen=True)
class Nothing(Layer):
    name = "nothing"

    def forward(self, x, p, ctx):
        return 0 * x, lambda dy: 0 * dy


@wrong("learns")
class Mute(Chain):
    def layers(self, n_out, activation, normalization, noise):
        yield from super().layers(n_out, activation, normalization, noise)
        yield Nothing()


# Objectives on data.

Classification = find("objective", "classification")
Supervised = sys.modules[Classification.__module__].Supervised


@dataclass(frozen=True, kw_only=True)
class Task(Classification):
    problem = Supervised

    def build(self, parts, rngs):
        made = super().build(parts, rngs)
        made.__class__ = self.problem
        return made


@wrong("gradient")
class Unscaled(Task):
    class problem(Supervised):  # noqa: N801
        def loss(self, batch, ctx):
            return 2 * super().loss(batch, ctx)


@wrong("loss_is_a_plain_number")
class Boxed(Task):
    class problem(Supervised):  # noqa: N801
        def loss(self, batch, ctx):
            return np.float64(super().loss(batch, ctx))


@wrong("loss_moves_no_parameter", also="gradient")
class Eager(Task):
    class problem(Supervised):  # noqa: N801
        def loss(self, batch, ctx):
            value = super().loss(batch, ctx)
            self.params.values[...] -= 1e-3 * self.params.grads
            return value


@wrong("evaluation_changes_nothing")
class Peeking(Task):
    class problem(Supervised):  # noqa: N801
        def test(self):
            self.params.values[...] *= 0.99
            return super().test()


@wrong("metrics_have_names_and_plain_values", also="measures_what_it_declares")
class Nameless(Task):
    class problem(Supervised):  # noqa: N801
        def evaluate(self):
            return {**super().evaluate(), "score": 1.0}


@wrong("measures_what_it_declares")
class Boastful(Task):
    measures = (*Classification.measures, "test/f1")


@wrong("batches_take_each_sample_at_most_once")
class Replacing(Task):
    class problem(Supervised):  # noqa: N801
        def batches(self, rng):
            for _ in range(self.steps_per_epoch):
                i = rng.integers(self.n_train, size=self.batch_size)
                yield self.x["train"][i], self.labels["train"][i]


@wrong("batches_take_each_sample_at_most_once")
class Leftover(Task):
    class problem(Supervised):  # noqa: N801
        def batches(self, rng):
            order = rng.permutation(self.n_train)
            for start in range(0, self.n_train, self.batch_size):
                i = order[start : start + self.batch_size]
                yield self.x["train"][i], self.labels["train"][i]


@wrong("order_comes_from_the_rng")
class Orderly(Task):
    class problem(Supervised):  # noqa: N801
        def batches(self, rng):
            yield from super().batches(np.random.default_rng(0))


@wrong("refuses_more_than_there_is")
class Optimistic(Task):
    def build(self, parts, rngs):
        few = min(parts.batch_size, 60)
        return super().build(replace(parts, batch_size=few), rngs)
