"""Modes of planar mixtures and of stacked digits, where the truth is made by hand or simulated."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from ganvas.data.sources.densities import ring
from ganvas.metrics.histogram import histogram_kl, sampling_floor
from ganvas.metrics.modes import HIGH_QUALITY_CEILING, mode_coverage
from ganvas.metrics.stacked_modes import stacked_modes

SQUARE = torch.tensor([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])


def test_points_made_by_hand():
    points = torch.tensor([[0.0, 2.9], [0.1, 0.0], [0.0, 0.0], [0.0, 8.0], [10.0, 6.9], [5.0, 5.0]])
    found = mode_coverage(points, SQUARE, sigma=1.0)
    assert (found.covered, found.modes) == (2, 4)
    assert found.high_quality == 4 / 6
    assert found.reverse_kl == pytest.approx(0.75 * math.log(3) + 0.25 * math.log(1))


def test_a_perfect_sample_scores_the_ceiling_and_the_floor():
    mixture = ring(8, radius=1.0, sigma=0.01, scale=1.0)
    n = 20_000
    points, _ = mixture.sample(n, np.random.RandomState(0))
    found = mode_coverage(torch.from_numpy(points).float(), mixture.modes, mixture.sigma)
    assert found.covered == 8
    error = math.sqrt(HIGH_QUALITY_CEILING * (1 - HIGH_QUALITY_CEILING) / n)
    assert abs(found.high_quality - HIGH_QUALITY_CEILING) < 4 * error
    mean, sd = sampling_floor(round(n * HIGH_QUALITY_CEILING), 8)
    assert found.reverse_kl < mean + 5 * sd
    assert pytest.approx(0.98889, abs=1e-5) == HIGH_QUALITY_CEILING


def test_collapse_to_one_mode():
    points = SQUARE[2] + 0.1 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    found = mode_coverage(points, SQUARE, sigma=1.0)
    assert (found.covered, found.high_quality) == (1, 1.0)
    assert found.reverse_kl == pytest.approx(math.log(4))


def test_points_on_no_mode():
    points = torch.tensor([[5.0, 5.0], [math.nan, 0.0], [math.inf, 0.0]])
    found = mode_coverage(points, SQUARE, sigma=1.0)
    assert (found.covered, found.high_quality, found.reverse_kl) == (0, 0.0, math.inf)


def test_no_point_is_refused():
    with pytest.raises(ValueError, match="at least one point and a positive sigma, got 0, 1.0"):
        mode_coverage(SQUARE[:0], SQUARE, 1.0)


def test_divergence_is_scipys():
    counts, reference = torch.tensor([3, 0, 7, 1]), torch.tensor([10, 5, 20, 1])
    assert histogram_kl(counts, reference) == pytest.approx(entropy(counts.numpy(), reference.numpy()))
    assert histogram_kl(torch.tensor([1, 1]), torch.tensor([2, 0])) == math.inf
    assert histogram_kl(torch.tensor([1, 0]), torch.tensor([2, 0])) == 0.0
    with pytest.raises(ValueError, match="reference: expected some counts"):
        histogram_kl(counts, torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("n, modes", [(26_000, 1000), (2500, 25), (500, 1000)])
def test_floor_is_that_of_simulated_uniform_draws(n, modes):
    random = np.random.RandomState(0)
    draws = random.multinomial(n, [1 / modes] * modes, size=400)
    values = [histogram_kl(torch.from_numpy(x), torch.ones(modes, dtype=torch.int64)) for x in draws]
    mean, sd = sampling_floor(n, modes)
    assert np.mean(values) == pytest.approx(mean, abs=4 * np.std(values) / 20)
    if n > 5 * modes:
        assert np.std(values) == pytest.approx(sd, rel=0.15)


def test_floor_of_stacked_digits_is_the_papers():
    mean, sd = sampling_floor(26_000, 1000)
    assert (round(mean, 4), round(sd, 4)) == (0.0193, 0.0009)


def test_stacked_digits_at_the_floor():
    digits = torch.from_numpy(np.random.RandomState(1).randint(10, size=(26_000, 3)))
    found = stacked_modes(digits, 10)
    assert (found.covered, found.modes) == (1000, 1000)
    assert abs(found.kl - 0.0193) < 4 * 0.0009


def test_stacked_digits_by_hand():
    digits = torch.tensor([[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 0, 0]])
    found = stacked_modes(digits, 2)
    assert (found.covered, found.modes) == (3, 8)
    assert found.kl == pytest.approx(entropy([1, 1, 2], [1, 1, 1]) + math.log(8 / 3))
    with pytest.raises(ValueError, match="expected classes 0 to 1, got 0 to 2"):
        stacked_modes(torch.tensor([[0, 2]]), 2)
