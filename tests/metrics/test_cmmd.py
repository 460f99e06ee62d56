"""CMMD against the formula of the authors' code, its error against redrawn images, its bias against its bound."""

import numpy as np
import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.metrics import cmmd as module
from ganvas.metrics.cmmd import METRIC, cmmd, mean_kernel, unit_length
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.registry import settings_of


def draw(n, seed, shift=0.0, d=5):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def measured(real, fake, **settings):
    sides = (Features(x, None, "toy", "0" * 64) for x in (real, fake))
    return METRIC.compute(Comparison(*sides, settings_of(settings)))


def published(x, y, sigma, scale=1000):
    """The minimum-variance estimate: all pairs count, the diagonal too."""
    x, y = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))

    def kernel(a, b):
        return np.array([[np.exp(-np.sum((p - q) ** 2) / (2 * sigma**2)) for q in b] for p in a])

    return scale * (kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean())


@pytest.mark.parametrize("sigma", [10.0, 0.3])
def test_it_is_the_published_formula(sigma):
    real, fake = draw(30, 0), draw(20, 1, shift=0.7)
    score = measured(real, fake, cmmd_sigma=sigma)
    assert score.value == pytest.approx(published(real.double().numpy(), fake.double().numpy(), sigma), rel=1e-6)
    assert score.sd_over == "20 generated images, first order"


def test_blocks_and_lengths_of_features_change_nothing(monkeypatch):
    real, fake = draw(30, 0), draw(20, 1)
    whole = measured(real, fake).value
    monkeypatch.setattr(module, "BLOCK_BYTES", 8 * 20 * 3)
    assert measured(real, fake * 7.0).value == pytest.approx(whole, rel=1e-6)
    assert measured(real, real).value == pytest.approx(0.0, abs=1e-9)


def test_the_error_is_what_the_score_moves_by_when_images_are_drawn_again():
    x = unit_length(draw(400, 0, shift=torch.tensor([-1.0, 0, 0, 0, 0])))
    within = float(mean_kernel(x, x, 1.0).mean())
    found = [cmmd(x, unit_length(draw(80, s, shift=0.5)), sigma=1.0, within_real=within) for s in range(1, 121)]
    values, errors = zip(*found, strict=True)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_the_bias_of_equal_distributions_is_within_its_bound():
    values = [measured(draw(50, 2 * s), draw(50, 2 * s + 1)).value for s in range(60)]
    assert 0.3 < np.mean(values) < 1000 * (1 - np.exp(-2 / 100)) * (1 / 50 + 1 / 50)
