"""Data."""

from dataclasses import dataclass, replace

import numpy as np

from dlexp import Data, DataError, Split, three_way
from faults import STOPS, wrong


@dataclass(frozen=True, kw_only=True)
class Pool(Data):
    """Sixty points in the plane, cut into three."""

    def load(self, rng):
        x, labels = rng.normal(size=(60, 2)), np.arange(60) % 2
        return self.cut(Split(x, labels), rng)

    def cut(self, pool, rng):
        return three_way(pool, validation=10, test=10, rng=rng)


@wrong(
    "gives_three_splits",
    also=f"{STOPS} n_train_keeps_that_many_in_proportion n_train_leaves_the_other_splits_alone",
)
class Flat(Pool):
    def cut(self, pool, rng):
        return tuple(Split(split.x[:, 0], split.labels) for split in super().cut(pool, rng))


@wrong("features_are_finite_floats")
class Whole(Pool):
    def cut(self, pool, rng):
        return tuple(
            Split((1e6 * split.x).astype(int), split.labels) for split in super().cut(pool, rng)
        )


@wrong("labels_count_from_zero")
class FromOne(Pool):
    def cut(self, pool, rng):
        return tuple(Split(split.x, split.labels + 1) for split in super().cut(pool, rng))


@wrong(
    "same_rng_gives_the_same_splits",
    also="n_train_leaves_the_other_splits_alone same_seed_gives_the_same_bits",
)
class Fresh(Pool):
    def load(self, rng):
        return super().load(np.random.default_rng())


@wrong("other_seeds_draw_other_splits")
class Idle(Pool):
    def load(self, rng):
        rng.random()
        return super().load(np.random.default_rng(0))


@wrong("splits_do_not_overlap")
class Leaking(Pool):
    def cut(self, pool, rng):
        train, validation, _ = super().cut(pool, rng)
        return train, validation, train.take(np.arange(10))


@wrong("dataset_holds_what_load_gives")
class Other(Pool):
    def dataset(self, rng):
        made = super().dataset(rng)
        return replace(made, train=Split(2 * made.train.x, made.train.labels))


@wrong("n_train_keeps_that_many_in_proportion")
class Unfair(Pool):
    def dataset(self, rng):
        whole = replace(self, n_train=None)
        made = super(Unfair, whole).dataset(rng)
        if self.n_train is None:
            return made
        if self.n_train > len(made.train):
            raise DataError("there are not that many")
        first = np.argsort(made.train.labels, kind="stable")[: self.n_train - 1]
        return replace(made, train=made.train.take(np.append(first, len(made.train) - 1)))


@wrong("n_train_leaves_the_other_splits_alone")
class Shrinking(Pool):
    def load(self, rng):
        train, validation, test = super().load(rng)
        return train, validation, test if self.n_train is None else test.take(np.arange(5))


@wrong("refuses_an_n_train_beyond_what_there_is")
class Obliging(Pool):
    def dataset(self, rng):
        return super(
            Obliging, replace(self, n_train=self.n_train and min(self.n_train, 40))
        ).dataset(rng)


@wrong("says_where_it_comes_from")
class Orphan(Pool):
    def source(self):
        return " "
