"""The statistics of a report against independent implementations, by their definitions, and by
simulation.
"""

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from dlexp.report import paired, statistics


def rng(*key):
    return np.random.default_rng([20261122, *key])


# --- one group


@pytest.mark.parametrize("n", [*range(1, 14), 30, 101])
def test_the_interquartile_mean_is_scipys_and_so_rliables(n):
    x = rng(n).normal(size=(3, n))
    np.testing.assert_allclose(statistics.iqm(x), stats.trim_mean(x, 0.25, axis=-1), rtol=1e-13)
    np.testing.assert_allclose(statistics.median(x), np.median(x, axis=-1), rtol=1e-13)


def test_infinite_values_stay_out_of_mean_and_median_as_long_as_they_are_in_the_tails():
    x = [0.3, 0.1, np.inf, 0.2, 0.4, 0.5, 0.6, np.inf]
    assert statistics.iqm(x) == pytest.approx(np.mean([0.3, 0.4, 0.5, 0.6]))
    assert statistics.median(x) == pytest.approx(0.45)
    assert statistics.iqm([*x, np.inf, np.inf]) == np.inf
    low, high = statistics.iqm_interval(x)
    assert np.isfinite(low)
    assert high == np.inf
    assert statistics.iqm_interval([np.inf] * 4) == (np.inf, np.inf)


@pytest.mark.parametrize("n", [5, 10, 15])
@pytest.mark.parametrize("which", ["iqm", "median"])
def test_the_bootstrap_interval_agrees_with_scipys(n, which):
    x = rng(n).exponential(size=n)
    ours = {"iqm": statistics.iqm_interval, "median": statistics.median_interval}[which](x)
    known = {"iqm": lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), "median": np.median}[which]
    theirs = stats.bootstrap(
        (x,), known, n_resamples=20_000, method="percentile", rng=rng(1)
    ).confidence_interval
    drawn = known(x[rng(2).integers(0, n, (40_000, n))], axis=1)  # a third, larger draw judges both
    for ends in (ours, theirs):
        # medians have atoms: a quantile is where F passes
        for end, share in zip(ends, (0.025, 0.975), strict=True):
            assert (drawn < end).mean() <= share + 0.006
            assert (drawn <= end).mean() >= share - 0.006
    if which == "iqm":
        np.testing.assert_allclose(ours, theirs, atol=0.05 * x.std())


def test_intervals_are_repeatable_and_need_two_seeds():
    x = rng(3).normal(size=10)
    assert statistics.iqm_interval(x) == statistics.iqm_interval(x[::-1])
    assert statistics.iqm_interval([1.0]) is None
    assert statistics.median_interval([]) is None
    assert statistics.iqm_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)


@pytest.mark.parametrize(
    ("k", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 7), (0, 1), (250, 1000)]
)
def test_the_interval_of_a_share_is_wilsons(k, n):
    theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(statistics.wilson(k, n), theirs, atol=1e-12)


def test_the_share_of_nothing_has_no_interval():
    assert statistics.wilson(0, 0) is None


def test_the_probability_of_improvement_is_the_mann_whitney_statistic():
    for k in range(5):
        # rounded: with ties
        a, b = np.round(rng(k).normal(0.3, 1, 9), 1), np.round(rng(k, 1).normal(0, 1, 9), 1)
        ours, (low, high) = statistics.probability_of_improvement(a, b)
        assert ours == pytest.approx(stats.mannwhitneyu(a, b).statistic / 81)
        assert 0 <= low <= ours <= high <= 1
    assert statistics.probability_of_improvement([1, 2], [1, 2])[0] == 0.5
    assert statistics.probability_of_improvement([3], [1]) == (1.0, None)


def test_the_interval_of_the_probability_of_improvement_draws_seeds_in_pairs():
    a, b = rng(4).normal(0.5, 1, 8), rng(5).normal(0, 1, 8)
    direct = [
        np.mean([x > y for x, y in product(a[i], b[i])]) for i in rng(6).integers(0, 8, (3000, 8))
    ]
    ours = statistics.probability_of_improvement(a, b)[1]
    np.testing.assert_allclose(ours, np.quantile(direct, [0.025, 0.975]), atol=0.02)


# --- two groups, paired by seed


def brute_force(d):
    sums = [abs(np.dot(s, d)) for s in product([1, -1], repeat=len(d))]
    return np.mean([total >= abs(np.sum(d)) - 1e-9 for total in sums])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8, 10, 12])
@pytest.mark.parametrize("digits", [0, 1, 6])  # rounded: ties and zeros
def test_the_sign_flip_test_agrees_with_scipy_and_with_its_definition(n, digits):
    d = np.round(rng(n, digits).normal(0.4, 1, n), digits)
    assert paired.two_sided(d) == pytest.approx(brute_force(d), abs=1e-12)
    if n > 1:
        for alternative, ours in [
            ("two-sided", paired.two_sided(d)),
            ("greater", paired.one_sided(d)),
        ]:
            theirs = stats.permutation_test(
                (d,),
                np.mean,
                permutation_type="samples",
                n_resamples=np.inf,
                alternative=alternative,
            )
            assert ours == pytest.approx(theirs.pvalue, abs=1e-12)


def test_differences_that_only_rounding_tells_apart_are_equal():
    d = np.array([0.1, 0.2, 0.3, -0.6, 0.1, 0.2, 0.3, -0.6]) / 3  # sums to zero but for rounding
    assert paired.two_sided(d) == 1.0
    assert paired.won([0.1 + 0.2 - 0.3, 1.0, -1.0]) == 1.5


def test_above_twenty_pairs_the_test_draws_patterns_and_says_nearly_the_same():
    d = rng(7).normal(0.35, 1, 26)
    sums = np.abs(rng(8).choice([-1.0, 1.0], (200_000, 26)) @ d)
    assert paired.two_sided(d) == pytest.approx((sums >= abs(d.sum()) - 1e-12).mean(), abs=0.004)
    assert paired.two_sided(d) == paired.two_sided(d.copy())
    assert paired.two_sided(np.ones(40)) == pytest.approx(2 / (paired.FLIPS + 1))  # never 0
    low, high = paired.interval(d)
    t = stats.ttest_1samp(d, 0).confidence_interval()
    np.testing.assert_allclose((low, high), t, atol=0.05)


@pytest.mark.parametrize("n", [6, 7, 9, 12])
def test_the_interval_holds_exactly_the_shifts_that_the_test_does_not_refuse(n):
    d = rng(n, 9).normal(1, 1, n)
    low, high = paired.interval(d)
    for theta in np.concatenate(
        [np.linspace(low - 1, high + 1, 40), [low + 1e-7, high - 1e-7, low - 1e-7, high + 1e-7]]
    ):
        assert (paired.two_sided(d - theta) > 0.05) == (low <= theta <= high)


@pytest.mark.parametrize("n", [6, 8, 10])
def test_the_ends_of_the_interval_are_quantiles_of_subset_means(n):
    d = rng(n, 10).normal(size=n)
    means = sorted(np.mean(c) for k in range(1, n + 1) for c in combinations(d, k))
    rank = int(0.025 * 2**n)
    np.testing.assert_allclose(paired.interval(d), (means[rank - 1], means[-rank]), rtol=1e-12)


def test_five_pairs_bound_nothing():
    assert paired.interval([1, 1, 1, 1, 1]) == (-np.inf, np.inf)
    assert paired.smallest_p(5) > 0.05 > paired.smallest_p(6)
    assert paired.two_sided([1, 2, 3, 4, 5]) == paired.smallest_p(5) == 0.0625


def closed_testing(p):
    """Holm by another road: closed testing with Bonferroni's test of every intersection (Marcus et
    al. 1976).
    """
    m = range(len(p))
    subsets = [c for k in range(1, len(p) + 1) for c in combinations(m, k)]
    return [max(min(1, len(c) * min(p[j] for j in c)) for c in subsets if i in c) for i in m]


def test_holm_is_closed_testing_with_bonferroni():
    for k in range(20):
        p = np.round(rng(k, 11).uniform(0, 0.2, 1 + k % 6), 3).tolist()
        np.testing.assert_allclose(paired.holm(p), closed_testing(p), rtol=1e-12)
    assert paired.holm([]) == []
    assert paired.holm([0.01, 0.02, 0.03, 0.04, 0.05]) == [0.05, 0.08, 0.09, 0.09, 0.09]  # by hand


def test_the_effect_size_is_the_paired_t_over_the_root_of_n():
    a, b = rng(12).normal(1, 1, 11), rng(13).normal(0.2, 1, 11)
    assert paired.effect_size(a - b) == pytest.approx(stats.ttest_rel(a, b).statistic / 11**0.5)
    assert paired.effect_size([2.0, 2.0, 2.0]) == np.inf
    assert paired.effect_size([-2.0, -2.0]) == -np.inf
    assert paired.effect_size([0.0, 0.0]) == 0.0
    assert paired.effect_size((a - b) * 1e250) == pytest.approx(paired.effect_size(a - b))
    assert np.isnan(paired.effect_size([1.0]))


def test_equivalence_is_two_one_sided_tests():
    d = rng(14).normal(0, 0.01, 10)
    theirs = max(
        stats.permutation_test(
            (x,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="greater"
        ).pvalue
        for x in (d + 0.02, 0.02 - d)
    )
    assert paired.equivalence(d, 0.02) == pytest.approx(theirs)
    assert paired.equivalence(d, 0.02) < 0.05 < paired.equivalence(d + 0.02, 0.02)


def test_the_seeds_that_so_many_comparisons_need():
    for pairs in (1, 3, 7, 28, 100):
        n = paired.seeds_needed(pairs)
        assert paired.smallest_p(n) * pairs <= 0.05
        assert n == 6 or paired.smallest_p(n - 1) * pairs > 0.05


@pytest.mark.parametrize("d", [[], [1.0, np.inf], [np.nan]])
def test_what_is_not_finite_is_refused(d):
    for function in (
        paired.two_sided,
        paired.one_sided,
        paired.interval,
        paired.effect_size,
        paired.won,
    ):
        with pytest.raises(ValueError, match="finite"):
            function(d)


# --- by simulation

SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "heavy tails": lambda r, n: r.standard_t(3, size=n),
    # an accuracy on few samples: ties and zeros
    "steps": lambda r, n: np.round(r.normal(size=n) * 4) / 4,
}


def false_alarms(shape, n, repeats):
    return np.mean(
        [paired.two_sided(SHAPES[shape](rng(n, i, 15), n)) <= 0.05 for i in range(repeats)]
    )


def coverage(interval, shape, n, repeats):
    ends = [interval(SHAPES[shape](rng(n, i, 16), n)) for i in range(repeats)]
    return np.mean([low <= 0 <= high for low, high in ends])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_of_equal_methods_is_told_apart_in_at_most_five_percent(shape):
    assert false_alarms(shape, 10, 300) <= 0.05 + 3 * (0.05 * 0.95 / 300) ** 0.5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_sample_of_intervals_of_differences_holds_the_truth(shape):
    assert coverage(paired.interval, shape, 10, 300) >= 0.95 - 3 * (0.05 * 0.95 / 300) ** 0.5


def test_a_sample_of_intervals_of_the_interquartile_mean_holds_the_truth_nine_times_in_ten():
    assert 0.88 <= coverage(statistics.iqm_interval, "normal", 10, 200) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 10, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_methods_are_told_apart_in_at_most_five_percent(shape, n):
    repeats = 4000 if n < 16 else 1000
    assert false_alarms(shape, n, repeats) <= 0.05 + 3 * (0.05 * 0.95 / repeats) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n", [6, 10, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_intervals_of_differences_hold_the_truth(shape, n):
    repeats = 4000 if n < 16 else 1000
    assert 0.95 - 3 * (0.05 * 0.95 / repeats) ** 0.5 <= coverage(paired.interval, shape, n, repeats)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(5, 0.88), (10, 0.92), (20, 0.925)])
def test_intervals_of_the_interquartile_mean_hold_the_truth_as_often_as_the_page_says(n, least):
    assert least <= coverage(statistics.iqm_interval, "normal", n, 3000) <= 0.97


@pytest.mark.slow
def test_a_family_of_equal_methods_raises_a_false_alarm_in_at_most_five_percent():
    """Four equal methods, six pairs that depend on each other, Holm."""
    alarms = []
    for i in range(2000):
        x = rng(i, 17).normal(size=(4, 10)) + rng(i, 18).normal(size=10)
        alarms.append(
            min(paired.holm([paired.two_sided(a - b) for a, b in combinations(x, 2)])) <= 0.05
        )
    assert np.mean(alarms) <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5
