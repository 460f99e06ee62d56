"""Verdicts at the edges of the band, for each kind of ±, and for everything that stands in the way of one."""

import math
from dataclasses import replace

import pytest
from scipy import stats

from ganvas.papers.claims import Band, Claim
from ganvas.papers.judgement import Measured, Verdict, interval, judge

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
CLAIM = Claim(
    "nll", "test NLL", "Table 1", 225.0, 2.0, "se_test", "text", "cpu", Band(210.0, 240.0), Band(195.0, 260.0), 1
)
TRIALS = replace(CLAIM, kind="se_trials", unclear=None, band=Band(7.4, math.inf), seeds=5)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (210.0, PASS),
        (240.0, PASS),
        (209.999, INCONCLUSIVE),
        (195.0, INCONCLUSIVE),
        (260.0, INCONCLUSIVE),
        (194.9, FAIL),
    ],
)
def test_the_edges_belong_to_the_band(value, verdict):
    assert judge(CLAIM, Measured([value], standard_error=0.01)).verdict is verdict


def test_open_bands_have_one_edge():
    assert judge(TRIALS, Measured([7.4] * 5)).verdict is PASS
    assert judge(TRIALS, Measured([1e9] * 5)).verdict is PASS
    assert judge(TRIALS, Measured([7.3] * 5)).verdict is FAIL


def test_se_test_is_the_error_over_test_examples_of_one_model():
    low, high = interval("se_test", Measured([100.0], standard_error=2.0))
    assert (low, high) == pytest.approx((100 - 2 * stats.norm.ppf(0.975), 100 + 2 * stats.norm.ppf(0.975)))
    near = replace(CLAIM, unclear=None)
    assert judge(near, Measured([242.0], standard_error=2.0)).verdict is INCONCLUSIVE
    assert judge(near, Measured([242.0], standard_error=0.5)).verdict is FAIL


@pytest.mark.parametrize("kind", ["se_trials", "sd_seeds", "none"])
def test_other_kinds_take_the_t_interval_over_seeds(kind):
    values = [6.0, 7.0, 7.5, 7.0, 7.2]
    expected = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert interval(kind, Measured(values)) == pytest.approx(expected)


def test_an_error_over_test_examples_says_nothing_about_seeds():
    assert all(math.isnan(end) for end in interval("sd_seeds", Measured([7.0], standard_error=0.1)))


def test_without_an_error_of_the_papers_the_one_over_test_examples_counts():
    """A difference of -.01 ± .23 nats had failed a band that begins at 0."""
    claim = replace(CLAIM, plus_minus=None, kind="none", unclear=None, band=Band(0.0, math.inf))
    found = judge(claim, Measured([-0.00965], standard_error=0.2287))
    assert (found.low, found.high) == pytest.approx((-0.4579, 0.4386), abs=1e-4) and found.verdict is INCONCLUSIVE
    assert judge(claim, Measured([-0.5], standard_error=0.2287)).verdict is FAIL
    assert judge(claim, Measured([-0.00965])).verdict is FAIL  # nothing says how sure it is


def test_seeds_that_spread_over_the_edge_settle_nothing():
    assert judge(TRIALS, Measured([6.0, 7.0, 7.5, 7.0, 8.2])).verdict is INCONCLUSIVE
    assert judge(TRIALS, Measured([7.0, 7.01, 7.02, 7.0, 7.01])).verdict is FAIL


def test_too_few_seeds_settle_nothing_either_way():
    for values in ([8.0] * 4, [1.0] * 4):
        found = judge(TRIALS, Measured(values))
        assert found.verdict is INCONCLUSIVE
        assert "4 of the 5 seeds" in found.reason


def test_a_hindrance_is_the_reason():
    found = judge(CLAIM, Measured([225.0], 2.0, hindrance="3% of the paper's budget"))
    assert (found.verdict, found.reason) == (INCONCLUSIVE, "3% of the paper's budget")
    assert math.isnan(judge(CLAIM, Measured([], hindrance="no Inception weights")).estimate)


def test_memory_never_decides():
    remembered = replace(CLAIM, source="memory")
    assert judge(remembered, Measured([225.0], 2.0)).verdict is INCONCLUSIVE
    assert judge(remembered, Measured([0.0], 2.0)).verdict is INCONCLUSIVE


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_none_fails(value):
    assert judge(CLAIM, Measured([value])).verdict is FAIL


def test_nothing_measured_needs_a_reason():
    with pytest.raises(ValueError, match="expected at least one"):
        Measured([])
