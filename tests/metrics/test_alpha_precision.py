"""Integrated alpha-precision and beta-recall against a transcription by loops over the levels, and their extremes."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganvas.metrics.alpha_precision import integrated_alpha_precision, integrated_beta_recall


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def published(real, fake):
    """Both integrated scores as the authors' function computes them, with the real mean as the centre."""
    alphas = np.linspace(0, 1, 30)
    radii = np.quantile(np.linalg.norm(real - real.mean(0), axis=1), alphas)
    precision = [np.mean(np.linalg.norm(fake - real.mean(0), axis=1) <= r) for r in radii]
    own = cdist(real, real) + np.diag(np.full(len(real), np.inf))
    across = cdist(real, fake)
    typical = np.linalg.norm(fake[across.argmin(1)] - fake.mean(0), axis=1)
    near = across.min(1) <= own.min(1)
    recall = [np.mean(near & (typical <= r)) for r in np.quantile(typical, alphas)]
    return [1 - 2 * np.abs(alphas - np.array(curve)).sum() * alphas[1] for curve in (precision, recall)]


@pytest.mark.parametrize(("n", "m", "scale", "shift"), [(80, 60, 1.0, 0.0), (60, 90, 0.5, 0.3), (70, 70, 1.6, 1.0)])
def test_they_are_the_published_scores(n, m, scale, shift):
    real, fake = normal(n, 5, 0) + 3, normal(m, 5, 1, scale) + 3 + shift
    expected = published(real.double().numpy(), fake.double().numpy())
    found = [integrated_alpha_precision(real, fake)[0], integrated_beta_recall(real, fake)[0]]
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_balls_are_closed():
    """Both real images are at distance 1 of their mean, so are two of three samples, for every alpha."""
    real, fake = torch.tensor([[-1.0], [1.0]]), torch.tensor([[-1.0], [1.0], [3.0]])
    expected = 1 - 2 / 29 * sum(abs(k / 29 - 2 / 3) for k in range(30))
    assert integrated_alpha_precision(real, fake)[0] == pytest.approx(expected)


def test_extremes():
    real, like, far = normal(2000, 3, 0), normal(2000, 3, 1), normal(2000, 3, 1) + 50
    step = 1 / 29
    # No sample is typical: |0 - alpha| sums to 15 over the 30 levels.
    assert integrated_alpha_precision(real, far)[0] == pytest.approx(1 - 2 * 15 * step)
    assert integrated_beta_recall(real, far)[0] == pytest.approx(1 - 2 * 15 * step)
    assert integrated_alpha_precision(real, real)[0] == pytest.approx(1, abs=0.01)
    assert integrated_alpha_precision(real, like)[0] > 0.93
    # Copies win every contest of neighbours, other samples of the same distribution every second one.
    assert integrated_beta_recall(real, real)[0] == pytest.approx(1, abs=0.01)
    assert integrated_beta_recall(real, like)[0] == pytest.approx(0.5, abs=0.05)


def test_the_errors_are_those_of_redrawn_images():
    real = normal(300, 3, 0)
    found = [integrated_alpha_precision(real, normal(150, 3, 10 + s, 1.3)) for s in range(80)]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)
    assert 0.86 <= (np.abs(values - values.mean()) < 1.96 * errors).mean() <= 1.0
    found = [integrated_beta_recall(real, normal(200, 3, 10 + s, 0.7) + 0.4) for s in range(30)]
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)
