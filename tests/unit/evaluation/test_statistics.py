"""Against textbooks where they print data and result, otherwise against scipy or what follows on paper."""

import numpy as np
import pytest
from scipy import stats

from volfuse.evaluation.figure_ranks import cliques
from volfuse.evaluation.statistics import (
    ALPHA,
    analyse,
    average_ranks,
    critical_difference,
    friedman,
    mean_interval,
    paired_t,
    repeated_measures_anova,
    wilcoxon,
)

# Demsar 2006, table 6: area under the curve of C4.5 with four settings on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9752, 0.975],  # both are printed as 0.975, with ranks 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
)
# Field, Discovering Statistics, repeated-measures designs: seconds until eight people retch, four things to eat.
FIELD = np.array(
    [
        [8, 7, 1, 6],
        [9, 5, 2, 5],
        [6, 2, 3, 8],
        [5, 3, 1, 9],
        [8, 4, 5, 8],
        [7, 5, 6, 7],
        [10, 2, 7, 2],
        [12, 6, 8, 1],
    ],
    dtype=float,
)
NAMES = ("a", "b", "c", "d")


def test_ranks_and_critical_difference_are_those_of_demsar() -> None:
    np.testing.assert_allclose(average_ranks(DEMSAR, True), [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert critical_difference(images=14, models=4) == pytest.approx(1.25, abs=5e-3)


def test_lower_is_better_turns_the_ranks_around() -> None:
    np.testing.assert_allclose(average_ranks(DEMSAR, False), 5 - average_ranks(DEMSAR, True))


def test_friedman_is_demsars_but_for_ties() -> None:
    """He prints 9.28 without the correction, which divides by 1 - sum(t^3 - t) / (n (k^3 - k))."""
    ties = (4**3 - 4) + 3 * (2**3 - 2)  # one row of four equal values, three rows with two
    statistic, p = friedman(DEMSAR)
    assert statistic * (1 - ties / (14 * (4**3 - 4))) == pytest.approx(9.28, abs=0.01)
    assert p == pytest.approx(stats.chi2.sf(statistic, 3))


def test_anova_is_fields() -> None:
    """He prints F = 3.79 and, after Greenhouse and Geisser, p = .063 (.026 without)."""
    f, p = repeated_measures_anova(FIELD)
    assert f == pytest.approx(3.79, abs=0.005)
    assert p == pytest.approx(0.063, abs=0.0005)


def test_anova_of_two_models_is_the_paired_t_test() -> None:
    f, p = repeated_measures_anova(FIELD[:, :2])
    t, p_of_t = paired_t(FIELD[:, 0], FIELD[:, 1])
    assert (f, p) == pytest.approx((t**2, p_of_t))


@pytest.mark.parametrize("normal", [True, False])
def test_normality_decides_between_the_two_ways(normal: bool) -> None:
    values = np.random.default_rng(5).normal(loc=[0, 0.1, 0.5, 3], size=(40, 4))
    values = values if normal else np.exp(values)
    analysis = analyse(values, NAMES)
    assert all(each.p > ALPHA for each in analysis.normality) == normal
    assert analysis.overall.test == ("ANOVA" if normal else "Friedman")
    expected = stats.ttest_rel if normal else stats.wilcoxon
    assert [(each.first, each.second) for each in analysis.comparisons] == [
        ("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")
    ]  # fmt: skip
    for each in analysis.comparisons:
        columns = (values[:, NAMES.index(each.first)], values[:, NAMES.index(each.second)])
        assert each.p == pytest.approx(expected(*columns).pvalue)
        assert each.adjusted == pytest.approx(min(1, 6 * each.p))
    assert set(analysis.indistinguishable("d")) == set()
    assert "b" in analysis.indistinguishable("a")


def test_two_models_are_compared_once() -> None:
    analysis = analyse(DEMSAR[:, :2], NAMES[:2])
    assert analysis.overall is None and len(analysis.comparisons) == 1
    assert analysis.comparisons[0].adjusted == analysis.comparisons[0].p


@pytest.mark.parametrize("values", [np.ones((6, 3)), np.arange(6.0)[:, None].repeat(3, 1)])
def test_equal_models_differ_by_nothing(values: np.ndarray) -> None:
    analysis = analyse(values, NAMES[:3])
    assert analysis.overall.p == 1
    assert [each.adjusted for each in analysis.comparisons] == [1, 1, 1]
    assert repeated_measures_anova(values) == friedman(values) == (0, 1)
    assert paired_t(values[:, 0], values[:, 1]) == wilcoxon(values[:, 0], values[:, 1]) == (0, 1)


def test_a_constant_metric_is_not_normal() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[:, 1] = 0
    assert analyse(values, NAMES[:3]).overall.test == "Friedman"


def test_the_interval_covers_the_mean_of_a_normal_distribution() -> None:
    """1000 samples of 60; a percentile interval is a little short, by the factor sqrt((n - 1) / n) and z for t."""
    values = np.random.default_rng(1).normal(loc=3, scale=2, size=(60, 1000))
    low, high = mean_interval(values)
    assert 0.92 < ((low < 3) & (high > 3)).mean() < 0.96
    half_widths = 1.96 * values.std(axis=0) / np.sqrt(60)
    np.testing.assert_allclose((high - low) / 2, half_widths, rtol=0.08)


def test_the_interval_of_a_skewed_distribution_leans_to_its_tail() -> None:
    values = np.random.default_rng(2).exponential(size=(30, 1))
    low, high = mean_interval(values)
    assert high - values.mean() > values.mean() - low


def test_the_interval_of_constants_and_of_one_value_is_a_point() -> None:
    np.testing.assert_allclose(mean_interval(np.full((7, 2), 0.5)), 0.5)
    np.testing.assert_allclose(mean_interval(np.array([[1.0, 2.0]])), [[1, 2], [1, 2]])


def test_the_interval_is_the_same_each_time() -> None:
    np.testing.assert_array_equal(mean_interval(DEMSAR), mean_interval(DEMSAR))


def test_bars_join_the_largest_groups_only() -> None:
    ranks = np.array([1.0, 1.5, 2.2, 4.0, 4.1, 6.0])
    assert cliques(ranks, 1.0) == [(0, 1), (1, 2), (3, 4)]
    assert cliques(ranks, 9.0) == [(0, 5)]
    assert cliques(ranks, 0.05) == []
