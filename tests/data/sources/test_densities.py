"""The plane's densities against closed forms, scipy and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from sklearn.datasets import make_swiss_roll

from ganvas.data.source import DataError
from ganvas.data.sources.densities import SwissRoll, grid, ring
from ganvas.data.sources.density_source import DensitySource

RING, GRID, ROLL = ring(8, 2.0, 0.02, 1.414), grid(5, 2.0, 0.05, 2.828), SwissRoll(0.25, 7.5)
WIDE = [ring(8, 2.0, 0.3, 1.414), grid(5, 2.0, 0.6, 2.828), SwissRoll(1.0, 7.5)]


def _sample(density, n=200_000):
    return density.sample(n, np.random.RandomState(0))


def test_modes_are_the_papers():
    half = 2 / math.sqrt(2)
    centres = [(2, 0), (half, half), (0, 2), (-half, half), (-2, 0), (-half, -half), (0, -2), (half, -half)]
    torch.testing.assert_close(RING.modes, torch.tensor(centres, dtype=torch.float64) / 1.414)
    expected = sorted((2 * x / 2.828, 2 * y / 2.828) for x in range(-2, 3) for y in range(-2, 3))
    np.testing.assert_allclose(sorted(map(tuple, GRID.modes.tolist())), expected)
    assert RING.sigma == 0.02 / 1.414 and GRID.sigma == 0.05 / 2.828 and ROLL.sigma == 0.25 / 7.5
    pacgan = grid(5, 2.0, 0.05, 1.0).modes
    assert sorted({x for x, _ in pacgan.tolist()}) == [-4, -2, 0, 2, 4]


@pytest.mark.parametrize(
    ("density", "variance"),
    [
        (RING, (2 / 1.414) ** 2 / 2 + (0.02 / 1.414) ** 2),  # r^2 / 2
        (GRID, 2 * (2 / 2.828) ** 2 + (0.05 / 2.828) ** 2),  # d^2 (K^2 - 1) / 12
    ],
)
def test_mixture_moments(density, variance):
    points, modes = _sample(density)
    np.testing.assert_allclose(points.mean(0), 0, atol=5 * math.sqrt(variance / len(points)))
    np.testing.assert_allclose(np.cov(points.T), variance * np.eye(2), atol=0.01)
    residual = points - density.modes.numpy()[modes]
    assert residual.std() == pytest.approx(density.sigma, rel=0.01)
    share = 1 / len(density.modes)
    np.testing.assert_allclose(np.bincount(modes) / len(modes), share, atol=5 * math.sqrt(share / len(modes)))


def test_swiss_roll_moments():
    points, modes = _sample(ROLL)
    a, b = 1.5 * math.pi, 4.5 * math.pi
    mean = [quad(lambda t, f=f: t * f(t), a, b)[0] / (b - a) / 7.5 for f in (math.cos, math.sin)]
    squared = (b**3 - a**3) / 3 / (b - a) / 7.5**2 + 2 * ROLL.sigma**2
    assert modes is None
    np.testing.assert_allclose(points.mean(0), mean, atol=0.01)
    assert (points**2).sum(1).mean() == pytest.approx(squared, rel=0.01)


def test_swiss_roll_is_scikit_learns():
    theirs = make_swiss_roll(50_000, noise=0.25, random_state=1)[0][:, [0, 2]] / 7.5
    ours = _sample(ROLL, 50_000)[0]
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=0.02)
    np.testing.assert_allclose(np.cov(ours.T), np.cov(theirs.T), atol=0.02)
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        radii = [np.quantile(np.hypot(*x.T), q) for x in (ours, theirs)]
        assert radii[0] == pytest.approx(radii[1], abs=0.02)


@pytest.mark.parametrize("density", WIDE)
def test_log_prob_integrates_to_one(density):
    line = torch.linspace(-4, 4, 97, dtype=torch.float64)
    total = float(density.log_prob(torch.cartesian_prod(line, line)).exp().sum()) * (8 / 96) ** 2
    assert total == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("density", [RING, GRID])
def test_log_prob_against_torch_distributions(density):
    component = torch.distributions.Independent(torch.distributions.Normal(density.modes, density.sigma), 1)
    weights = torch.distributions.Categorical(logits=torch.zeros(len(density.modes), dtype=torch.float64))
    truth = torch.distributions.MixtureSameFamily(weights, component)
    points = torch.from_numpy(_sample(density, 300)[0])
    torch.testing.assert_close(density.log_prob(points), truth.log_prob(points))


def test_swiss_roll_log_prob_against_adaptive_quadrature():
    points = _sample(ROLL, 12)[0]

    def density(t, point):
        squared = (point[0] - t * math.cos(t) / 7.5) ** 2 + (point[1] - t * math.sin(t) / 7.5) ** 2
        return math.exp(-squared / (2 * ROLL.sigma**2)) / (2 * math.pi * ROLL.sigma**2) / (3 * math.pi)

    for point, value in zip(points, ROLL.log_prob(torch.from_numpy(points)).tolist(), strict=True):
        angle = math.hypot(*(point * 7.5))
        truth = quad(density, 1.5 * math.pi, 4.5 * math.pi, args=(point,), points=[angle], limit=400)[0]
        assert value == pytest.approx(math.log(truth), abs=1e-4)


def test_draws_belong_to_the_data_and_splits_are_independent():
    small, large = (DensitySource("ring", [2], RING, n, 50, 0, 3) for n in (100, 200))
    assert small.splits == ("train", "val")
    assert small.load("val").fingerprint() == large.load("val").fingerprint()
    other = DensitySource("ring", [2], RING, 100, 50, 0, 4)
    assert other.load("train").fingerprint() != small.load("train").fingerprint()
    train = small.load("train")
    nearest = torch.cdist(train.data.double(), RING.modes).argmin(1)
    assert nearest.equal(train.labels)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: ring(0, 2.0, 0.02, 1.0),
        lambda: grid(5, 2.0, -0.1, 1.0),
        lambda: SwissRoll(0.25, 0.0),
        lambda: DensitySource("ring", [2], RING, 0, 1, 1, 0),
        lambda: DensitySource("ring", [3], RING, 1, 1, 1, 0),
    ],
)
def test_bad_arguments(bad):
    with pytest.raises(DataError, match="modes=0|sigma=-0.1|scale=0.0|train=0|shape="):
        bad()
