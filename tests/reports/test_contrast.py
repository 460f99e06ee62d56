"""Differences of sources: words, correction and plans, against scipy and the power of the test itself."""

import math

import pytest
from scipy import stats

from ganvas.reports.contrast import contrasts
from ganvas.reports.statistics.images import CAP, images_needed
from ganvas.scoring.replicates import Spread

FD, PRECISION, RARITY = "score/mnist/fd", "score/mnist/precision", "score/mnist/rarity"
DIRECTIONS = {FD: True, PRECISION: False, RARITY: None}


def judged(*given):
    return contrasts([("A", "B", key, spread) for key, spread in given], DIRECTIONS)


def test_words_are_about_the_first_and_follow_the_direction():
    sure = Spread(-5.0, 0.5, 0.5, 30.0)
    found = judged((FD, sure), (PRECISION, sure), (RARITY, sure))
    assert [c.word for c in found] == ["better", "worse", "different"]
    (unknown,) = judged((FD, Spread(-5.0, 0.0, math.nan, math.inf)))
    assert unknown.word == "no error known" and unknown.advice == "" and math.isnan(unknown.low)
    assert unknown.as_dict()["p_holm"] is None and unknown.as_dict()["degrees_of_freedom"] is None


def test_interval_and_p_are_those_of_students_t():
    spread = Spread(2.0, 0.25, 0.75, 12.5)
    (found,) = judged((FD, spread))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 12.5, 2.0, 1.0))
    assert found.p == pytest.approx(2 * stats.t.sf(2.0, 12.5)) and found.word == "within noise"


def test_all_scores_of_a_call_are_one_family():
    p = 2 * stats.norm.sf(2.1)
    (alone,) = judged((FD, Spread(2.1, 0.0, 1.0, math.inf)))
    assert alone.p == pytest.approx(p) and alone.word == "worse"
    both = judged((FD, Spread(2.1, 0.0, 1.0, math.inf)), (PRECISION, Spread(0.1, 0.0, 1.0, math.inf)))
    assert both[0].p == pytest.approx(2 * p) and both[0].word == "within noise"
    unknown = (PRECISION, Spread(1.0, 0.0, math.nan, math.inf))
    assert judged((FD, Spread(2.1, 0.0, 1.0, math.inf)), unknown)[0].word == "worse"


def test_no_error_and_no_difference():
    same, other = judged((FD, Spread(0.0, 0.0, 0.0, math.inf)), (PRECISION, Spread(0.5, 0.0, 0.0, math.inf)))
    assert (same.p, same.word) == (1.0, "within noise") and (other.p, other.word) == (0.0, "better")
    assert same.advice == f"more than {CAP:,} images would be needed"


def power(spread, samples, reference):
    """Probability that a difference as large as observed is found, with other numbers of images."""
    of_samples = spread.samples * spread.n_samples / samples if spread.samples else 0.0
    of_reference = spread.reference * spread.n_reference / reference if spread.reference else 0.0
    return stats.norm.sf(1.96 - abs(spread.value) / math.sqrt(of_samples + of_reference))


def test_the_planned_numbers_find_the_difference_with_probability_four_fifths():
    more_samples = Spread(1.0, 0.04, 1.0, 20.0, "", 500, 1000)
    found = images_needed(more_samples, 0.05)
    assert found.reference is None and found.samples > 1000
    assert power(more_samples, found.samples, 500) == pytest.approx(0.8, abs=0.02)
    assert str(found) == f"{found.samples:,} images of each"
    both = Spread(1.0, 0.5, 1.0, 20.0, "", 500, 1000)
    found = images_needed(both, 0.05)
    assert power(both, found.samples, found.reference) == pytest.approx(0.8, abs=0.02)
    assert power(both, 10**9, 500) < 0.8
    only_reference = Spread(1.0, 0.5, 0.0, 20.0, "", 500, 0)
    found = images_needed(only_reference, 0.05)
    assert found.samples is None and power(only_reference, 1, found.reference) == pytest.approx(0.8, abs=0.02)


def test_a_stricter_level_needs_more_and_some_differences_have_no_plan():
    spread = Spread(1.0, 0.0, 1.0, 20.0, "", 0, 1000)
    assert images_needed(spread, 0.05 / 10).samples > images_needed(spread, 0.05).samples
    assert images_needed(Spread(1e-4, 0.0, 1.0, 20.0, "", 0, 1000), 0.05) is None
    assert images_needed(Spread(1.0, 0.0, math.nan, math.inf), 0.05) is None
    assert images_needed(Spread(1.0, 0.0, 1.0, math.inf), 0.05) is None  # unpaired: no number of images is known
