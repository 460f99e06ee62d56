"""Statistics against closed forms, enumeration, published numbers, and simulated sweeps whose truth is known."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ganvas.reports.difference import advice, more_seeds, word_of
from ganvas.reports.statistics import paired
from ganvas.reports.statistics.best_of import expected_best
from ganvas.reports.statistics.interval import ENOUGH, mean_interval
from ganvas.reports.statistics.paired import all_pairs, holm, of_best_among_all, paired_tests, pairs_with
from ganvas.reports.statistics.power import power, seeds_needed
from ganvas.sweeps.seeds import seed_summary

SIMULATIONS = 2000


@pytest.mark.parametrize("draw", [pytest.param("normal", marks=pytest.mark.slow), "gamma"])
def test_bootstrap_interval_covers_the_truth_as_often_as_it_says(draw):
    rng = np.random.default_rng(1)
    shape = (SIMULATIONS, ENOUGH + 10)
    draws = rng.normal(20.0, 3.0, shape) if draw == "normal" else rng.gamma(20.0, 1.0, shape)
    found = [mean_interval(list(map(float, row))) for row in draws]
    assert {i.method for i in found} == {"bootstrap"}
    assert 0.93 <= np.mean([i.low <= 20.0 <= i.high for i in found]) <= 0.97


def test_few_seeds_get_the_t_interval_of_scipy():
    values = [3.0, 4.5, 4.0, 7.25]
    interval, summary = mean_interval(values), seed_summary(values)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert interval.method == "t"
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert (summary.n, summary.mean, summary.sd) == (4, pytest.approx(4.6875), pytest.approx(np.std(values, ddof=1)))


def test_paired_tests_are_those_of_scipy_for_every_pair():
    scores = np.random.default_rng(3).normal(size=(4, 6))
    scores[1, 2] = scores[3, 2] = scores[3, 5] = np.nan
    found = paired_tests(scores, all_pairs(4))
    assert [(int(i), int(j)) for i, j in zip(found.first, found.second, strict=True)] == list(combinations(range(4), 2))
    for k, (i, j) in enumerate(combinations(range(4), 2)):
        both = ~np.isnan(scores[i] + scores[j])
        expected = stats.ttest_rel(scores[i][both], scores[j][both])
        ends = expected.confidence_interval(0.95)
        assert found.n[k] == both.sum()
        assert found.p[k] == pytest.approx(expected.pvalue)
        assert (found.low[k], found.high[k]) == pytest.approx((ends.low, ends.high))


def test_what_seeds_share_cancels():
    easy = np.array([0.0, 10.0, 20.0])
    found = paired_tests(np.stack([easy, easy + [1.0, 1.1, 0.9]]), all_pairs(2))
    assert found.mean[0] == pytest.approx(-1.0)
    assert found.p[0] < 0.01


def test_degenerate_pairs():
    same, none = [1.0, 1.0], [np.nan, 1.0]
    found = paired_tests(np.array([same, same, [2.0, 2.0], none]), all_pairs(4))
    assert found.p[:2] == pytest.approx([1.0, 0.0])
    assert np.isnan(found.p[2]) and found.n[2] == 1
    assert pairs_with(1, 3).tolist() == [[0, 1], [2, 1]]


def test_holm_is_the_published_procedure():
    # Holm (1979) by hand: 0.01 * 4, 0.02 * 3, max(0.06, 0.03 * 2), max(0.06, 0.04 * 1)
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    with_gap = holm([0.5, float("nan"), 0.001])
    assert with_gap[[0, 2]] == pytest.approx([0.5, 0.002]) and np.isnan(with_gap[1])


def test_the_best_one_s_pairs_are_corrected_for_all_pairs(monkeypatch):
    monkeypatch.setattr(paired, "_PART", 7)
    scores = np.random.default_rng(3).normal(0, 1, (9, 4)) + np.arange(9)[:, None] / 2
    scores[4, 1:] = scores[7, 0] = np.nan  # one seed: no test; three seeds: a test
    everything = paired_tests(scores, all_pairs(9))
    found, made = of_best_among_all(scores)
    np.testing.assert_array_equal(found, holm(everything.p)[everything.first == 0])
    assert np.isnan(found[3]) and made == 8 * 7 // 2 == (~np.isnan(everything.p)).sum()
    scores[0, 1:] = np.nan  # the best one has one seed: it can be compared with none
    assert np.isnan(of_best_among_all(scores)[0]).all()


def test_equal_configurations_are_called_different_in_at_most_five_of_a_hundred_sweeps():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(SIMULATIONS):
        seeds = rng.normal(0, 2.0, (1, 5))
        found = paired_tests(20 + seeds + rng.normal(0, 1.0, (6, 5)), all_pairs(6))
        words = [word_of(mean, p, True) for mean, p in zip(found.mean, holm(found.p), strict=True)]
        wrong += any(word != "within noise" for word in words)
    assert wrong / SIMULATIONS <= 0.05


def test_a_large_difference_is_found_and_named_by_the_direction():
    for lower, word in ((True, "better"), (False, "worse")):
        assert word_of(-5.0, 0.001, lower) == word
    assert word_of(-5.0, float("nan"), True) == "too few seeds"


@pytest.mark.parametrize(("effect", "needed"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_needed_are_those_of_the_published_tables(effect, needed):
    # Two-sided paired t test, alpha 0.05, power 0.8: G*Power 3.1, as Cohen (1988).
    assert seeds_needed(effect, 1.0, 0.05) == needed


def test_power_is_how_often_a_simulated_test_finds_the_difference():
    draws = np.random.default_rng(5).normal(1.0, 1.5, (4000, 12))
    found = stats.ttest_1samp(draws, 0, axis=1).pvalue <= 0.05
    assert power(12, 1.0, 1.5, 0.05) == pytest.approx(found.mean(), abs=0.02)


def test_hopeless_differences_are_said_to_be_so():
    assert seeds_needed(0.0, 1.0, 0.05) is None
    assert seeds_needed(0.01, 1.0, 0.05) is None
    assert word_of(0.5, 0.9, True) == "within noise"
    assert advice("within noise", more_seeds(0.01, 1.0, 3, 1)) == "more than 1000 seeds would be needed"
    assert advice("within noise", more_seeds(0.5, 1.0, 3, 1)) == "about 31 more seeds each would settle it"


def test_expected_best_is_the_mean_over_all_choices():
    values = np.random.default_rng(2).normal(size=7)
    lower, higher = expected_best(values, True), expected_best(values, False)
    for k in range(1, 8):
        choices = list(combinations(values, k))
        assert lower.expected[k - 1] == pytest.approx(np.mean([min(c) for c in choices]))
        assert higher.expected[k - 1] == pytest.approx(np.mean([max(c) for c in choices]))


def test_budget_curve_of_uniform_scores_is_the_closed_form():
    rng = np.random.default_rng(4)
    found = np.stack([expected_best(rng.uniform(size=12), True).expected for _ in range(SIMULATIONS)])
    error = found.std(axis=0) / np.sqrt(SIMULATIONS)
    assert (np.abs(found.mean(axis=0) - 1 / (np.arange(1, 13) + 1)) < 4 * error).all()


def test_budget_interval_holds_the_curve_and_narrows_with_trials():
    rng = np.random.default_rng(6)
    few, many = (expected_best(rng.uniform(size=n), True) for n in (10, 200))
    for curve in (few, many):
        assert (curve.low <= curve.high).all()
        assert curve.low[0] < curve.expected[0] < curve.high[0]
    assert many.high[4] - many.low[4] < few.high[4] - few.low[4]
