"""Rarity against its definition by loops over images, and by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganvas.extractors.features import Features
from ganvas.metrics import rarity as module
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.neighbours import squared_radii
from ganvas.metrics.rarity import METRIC, rarity


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def pair(real, fake, settings):
    return Comparison(*(Features(x, None, "synthetic", "0" * 64) for x in (real, fake)), settings)


def published(real, fake, k):
    """Radius of the smallest real ball around each sample; 0 for a sample in no ball, as in the authors' code."""
    radii = np.sort(cdist(real, real), axis=1)[:, k]
    return np.array(
        [min((r for r, d in zip(radii, row, strict=True) if d < r), default=0) for row in cdist(fake, real)]
    )


@pytest.mark.parametrize(("k", "block"), [(3, 64 * 2**20), (1, 8 * 60 * 7), (5, 64 * 2**20)])
def test_it_is_the_published_score(settings, monkeypatch, k, block):
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    real, fake = normal(80, 5, 0) + 2, normal(60, 5, 1, 1.4) + 2
    expected = published(real.double().numpy(), fake.double().numpy(), k)
    x = real.double() - real.double().mean(0)
    found = rarity(real, fake, squared_radii(x, (k,), 0.0, 2**20)[0])
    np.testing.assert_allclose(found.nan_to_num(0), expected, atol=1e-5)
    assert 0 < (expected == 0).sum() < 60
    score = METRIC.compute(pair(real, fake, settings.replace(rarity_neighbours=k)))
    inside = expected[expected > 0]
    assert score.value == pytest.approx(inside.mean(), abs=1e-5)
    assert score.sd == pytest.approx(inside.std(ddof=1) / math.sqrt(len(inside)), abs=1e-5)
    assert score.sd_over == f"{len(inside)} generated images in real balls, balls held"


def test_by_hand(settings):
    """Real 0, 1, 3, 10 with k = 1: radii 1, 1, 2, 7."""
    real, fake = torch.tensor([[0.0], [1.0], [3.0], [10.0]]), torch.tensor([[0.5], [1.9], [4.5], [8.0], [17.0], [-1.0]])
    found = rarity(real, fake, torch.tensor([1.0, 1.0, 4.0, 49.0], dtype=torch.float64))
    # 17 and -1 lie on the surface of a ball, which is open; 4.5 lies in the balls of 3 and of 10.
    np.testing.assert_allclose(found, [1, 1, 2, 7, np.nan, np.nan])
    score = METRIC.compute(pair(real, fake, settings.replace(rarity_neighbours=1)))
    assert score.value == pytest.approx(11 / 4)


def test_without_a_sample_in_a_ball_there_is_no_score(settings):
    score = METRIC.compute(pair(normal(30, 4, 0), normal(20, 4, 1) + 100, settings))
    assert math.isnan(score.value) and score.sd is None


def test_its_error_is_that_of_redrawn_samples(settings):
    real, found = normal(200, 3, 0), []
    for seed in range(80):
        found.append(METRIC.compute(pair(real, normal(150, 3, 100 + seed), settings)))
    values = np.array([score.value for score in found])
    errors = np.array([score.sd for score in found])
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)
    assert 0.86 <= (np.abs(values - values.mean()) < 1.96 * errors).mean() <= 1.0
