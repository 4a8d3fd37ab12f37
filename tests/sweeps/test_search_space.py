"""The space of a search: intervals and lists, probabilities of values, and corners."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from dlexp.config.plan import Plan
from dlexp.core.early_stopping import EarlyStopping
from dlexp.errors import UserError
from dlexp.sweeps.space import Interval, Listed, Space, is_whole

LR = "optimizer.lr=tag(log,interval(1e-4,1))"


def space(*words, whole=False):
    plan = Plan.of(OverridesParser.create().parse_overrides(list(words)))
    return Space.of(plan, [], lambda key: whole)


def shares(n=2000, seed=0):
    return np.random.default_rng(seed).random(n).tolist()


def distance(values, quantiles):
    """Kolmogorov's distance of the values from the law of `quantiles`, times √n."""
    u = np.sort([quantiles(v) for v in values])
    steps = np.arange(len(u) + 1) / len(u)
    return math.sqrt(len(u)) * max((steps[1:] - u).max(), (u - steps[:-1]).max())


def test_a_logarithmic_interval_is_log_uniform_and_a_plain_one_uniform():
    log = [Interval("x", 1e-4, 1, log=True, whole=False).at(u) for u in shares()]
    plain = [Interval("x", 1e-4, 1, log=False, whole=False).at(u) for u in shares()]
    assert distance(log, lambda v: 1 + math.log10(v) / 4) < 1.63  # 99 %
    assert distance(plain, lambda v: (v - 1e-4) / (1 - 1e-4)) < 1.63
    assert distance(log, lambda v: v) > 10
    assert min(log) >= 1e-4
    assert max(log) <= 1


def test_whole_numbers_are_equally_likely_or_by_their_logarithm_and_both_ends_among_them():
    plain = Counter(Interval("n", 3, 7, log=False, whole=True).at(u) for u in shares(5000))
    assert sorted(plain) == [3, 4, 5, 6, 7]
    assert all(abs(count - 1000) < 4 * math.sqrt(1000) for count in plain.values())
    log = Counter(Interval("n", 1, 100, log=True, whole=True).at(u) for u in shares(5000))
    assert {1, 100} <= set(log)
    # √(0.5·100.5) = 7.1
    assert abs(sum(count for n, count in log.items() if n <= 7) - 2500) < 4 * 36
    assert all(isinstance(n, int) for n in [*plain, *log])


def test_a_drawn_number_is_typed_in_six_digits_and_never_leaves_its_interval():
    assert Interval("x", 0, 1, log=False, whole=False).words(1 / 3) == ["x=0.333333"]
    narrow = Interval("x", 0.1234561, 0.1234568, log=False, whole=False)
    assert narrow.words(0.1234562) == ["x=0.1234561"]  # and not 0.123456
    assert narrow.words(0.1234567) == ["x=0.1234568"]
    assert Interval("n", 1, 9, log=False, whole=True).words(4.0) == ["n=4"]


WHOLE = [
    ("batch_size", "", True),
    ("steps", "", True),  # or None
    ("clip_norm", "", False),
    ("early_stopping.patience", "", True),
    ("schedule.warmup", "schedule=constant,warmup_cosine", False),
    ("data.n_train", "data=digits,spirals", True),
    ("regularizer.dropout.ratio", "regularizer=none,dropout", False),
    ("nothing.of_that_name", "", False),
]


@pytest.mark.parametrize(("key", "word", "whole"), WHOLE, ids=[key for key, _, _ in WHOLE])
def test_whether_a_field_is_a_whole_number_is_what_its_plugin_declares(key, word, whole):
    plan = Plan.of(OverridesParser.create().parse_overrides([word] if word else []))
    cfg = OmegaConf.create({"early_stopping": OmegaConf.structured(EarlyStopping)})
    assert is_whole(key, cfg, plan) is whole


def test_a_seed_draws_the_same_trials_more_of_them_extend_and_another_seed_draws_others():
    words = ("optimizer=sgd,adam", LR, "batch_size=range(5,50)")
    first = [space(*words).words(point) for point in space(*words).draws(8, seed=0)]
    again = space(*reversed(words), "epochs=3")  # the order they are typed in is no matter
    assert [again.words(point) for point in again.draws(12, seed=0)][:8] == first
    others = [again.words(point) for point in again.draws(8, seed=1)]
    assert not [words for words in others if words in first]


def test_listed_numbers_are_in_their_order_and_words_are_not():
    lr, optimizer = space("optimizer.lr=1e-2,10,1,0.1", "optimizer=sgd,adam").axes[::-1]
    assert lr.ordered
    assert [lr.words(i) for i in range(4)] == [
        [f"optimizer.lr={v}"] for v in ("0.01", "0.1", "1", "10")
    ]
    assert not optimizer.ordered
    assert Counter(optimizer.at(u) for u in shares(1000)).keys() == {0, 1}


EMPTY = [
    ("tag(log,interval(0,1))", "a logarithmic interval must start above 0"),
    ("tag(lin,interval(0,1))", "the only tag of an interval is log"),
    ("interval(1,0.1)", "the end of an interval must be larger than its start"),
    ("interval(0.1,inf)", "the end of an interval must be larger than its start"),
    ("interval(0.2,0.8)", "contains no whole number"),
]


@pytest.mark.parametrize(("text", "message"), EMPTY, ids=[text for text, _ in EMPTY])
def test_an_interval_from_which_nothing_can_be_drawn_is_refused_with_its_key(text, message):
    with pytest.raises(UserError, match=re.escape(f"batch_size={text}: {message}")):
        space(f"batch_size={text}", whole=True)


def test_ends_of_many_axes_are_each_tried_though_not_in_every_combination():
    axes = [Interval(f"x{i}", i, i + 1, log=False, whole=False) for i in range(8)]
    words = Listed("k", tuple((f"k={i}",) for i in range(5)), ordered=False)
    few = Space((), (axes[0], words), ()).corners()
    assert len(set(map(tuple, few))) == 2 * 5
    many = Space((), (*axes, words), ()).corners()
    assert len(many) == 5
    for i, axis in enumerate([*axes, words]):
        assert {point[i] for point in many} == set(axis.ends)


def test_the_last_of_a_key_counts_for_intervals_too():
    parser = OverridesParser.create()
    plan = Plan.of(
        parser.parse_overrides(
            ["x=interval(0,1)", "x=3", "y=1,2", "y=interval(0,1)", "z=interval(0,1)", "z=1,2"]
        )
    )
    assert plan.fixed == ("x=3",)
    assert plan.swept == {"y": ("interval(0,1)",), "z": ("1", "2")}
    assert list(plan.intervals) == ["y"]


def test_a_space_of_whole_numbers_is_drawn_to_its_end_however_unlikely_a_value_is():
    n = Interval("n", 1, 300, log=True, whole=True)
    points = Space((), (n,), ()).draws(1000, seed=0)
    assert sorted(x for (x,) in points) == list(range(1, 301))
    assert Space((), (n,), ()).draws(40, seed=0) == points[:40]


def test_an_interval_of_fewer_numbers_than_are_asked_for_ends():
    narrow = Space((), (Interval("x", 0.1, 0.100002, log=False, whole=False),), ())
    assert (
        len({tuple(narrow.words(point)) for point in narrow.draws(50, seed=0)})
        == len(narrow.draws(50, seed=0))
        < 10
    )
