"""Shrunk covariances against scikit-learn's, the distance where it is known, and its error against its derivative."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from ganvas.metrics.fd_shrunk import shrunk, shrunk_distance, shrunk_error
from ganvas.metrics.frechet import frechet_distance

D = 24
SCALES = torch.linspace(0.2, 1.0, D)


def draw(n, seed, scale=1.0, shift=0.0):
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed)) * SCALES * scale + shift


@pytest.mark.parametrize("n", [5, 20, 400])
def test_the_covariance_is_that_of_scikit_learn(n):
    x = draw(n, 0, shift=3.0)
    covariance, shrinkage = ledoit_wolf(x.double().numpy())
    found = shrunk(x)
    assert found.shrinkage == pytest.approx(shrinkage, rel=1e-9) and 0 < shrinkage < 1
    np.testing.assert_allclose(found.moments.covariance.numpy(), covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.moments.mean.numpy(), x.double().numpy().mean(axis=0), rtol=1e-12)


def test_the_distance_is_the_formula_with_scikit_learns_covariances():
    x, y = draw(15, 0), draw(12, 1, 0.7, 0.3)
    sides = [(a.double().numpy().mean(axis=0), ledoit_wolf(a.double().numpy())[0]) for a in (x, y)]
    (m1, s1), (m2, s2) = sides
    expected = np.sum((m1 - m2) ** 2) + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert shrunk_distance(shrunk(x), shrunk(y)) == pytest.approx(expected, rel=1e-6)


def test_with_few_images_it_is_nearer_to_the_known_distance_than_fd():
    truth = float(((0.7 - 1) * SCALES).square().sum()) + D * 0.3**2
    plain, found = [], []
    for seed in range(20):
        x, y = draw(12, 2 * seed), draw(12, 2 * seed + 1, 0.7, 0.3)
        plain.append(frechet_distance(x, y))
        found.append(shrunk_distance(shrunk(x), shrunk(y)))
    assert abs(np.mean(found) - truth) < abs(np.mean(plain) - truth) / 2


def test_the_error_is_the_derivative_by_the_weights_of_images():
    real, fake = shrunk(draw(40, 0)), draw(30, 1, 0.8, 0.2).double()
    base, step, pulls = shrunk(fake), 1e-5, []
    for i in range(len(fake)):
        weights = torch.full((30,), (1 - step) / 30, dtype=torch.float64)
        weights[i] += step
        mean = weights @ fake
        sample = (fake.T * weights) @ fake - torch.outer(mean, mean)
        covariance = (1 - base.shrinkage) * sample + base.shrinkage * sample.trace() / D * torch.eye(D)
        moments = type(base.moments)(mean, covariance)
        moved = shrunk_distance(real, type(base)(moments, base.shrinkage))
        pulls.append((moved - shrunk_distance(real, base)) / step)
    assert shrunk_error(real, base, fake) == pytest.approx(np.std(pulls, ddof=1) / np.sqrt(30), rel=0.01)


def test_equal_images_have_no_covariance_and_no_error():
    fake = torch.ones(4, D)
    found = shrunk(fake)
    assert found.shrinkage == 0 and not found.moments.covariance.any()
    assert np.isfinite(shrunk_error(shrunk(draw(9, 0)), found, fake))
