"""TopP&R against a transcription of the authors' procedure by loops, and its answer to outliers."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from ganvas.extractors.features import Features
from ganvas.metrics import topp_r as module
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.topp_r import METRICS, bandwidth, densities, projected, supports


def normal(n, d, seed, scale=1.0):
    return scale * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def scores(real, fake, settings):
    pair = Comparison(*(Features(x, None, "synthetic", "0" * 64) for x in (real, fake)), settings)
    return [metric.compute(pair) for metric in METRICS]


def kernel_density(data, at, h):
    d = data.shape[1]
    found = []
    for row in cdist(at, data):
        near = row[row**2 <= h**2]
        found.append((np.pi / (4 * h)) ** d * np.cos(np.pi / 2 * near / h).sum() / len(data))
    return np.array(found)


def published(real, fake, alpha=0.1, resamples=10):
    """Balloon bandwidths, densities and bands as the authors compute them; the seeds are those of their code."""
    d = real.shape[1]
    if d > 32:
        torch.manual_seed(99)
        weight = torch.nn.init.xavier_normal_(torch.empty(32, d)).numpy()
        real, fake = real @ weight.T, fake @ weight.T
    k, widths = 5 * real.shape[1], []
    for x in (real, fake):
        distances = cdist(x, x)
        after = sorted(sorted(distances[i, i + 1 :])[k - 1] for i in range(len(x) - k))
        widths.append(after[int(len(after) * 0.5) - 1])
    draw, own, bands = np.random.RandomState(42), [], []
    for x, h in zip((real, fake), widths, strict=True):
        p = kernel_density(x, x, h)
        moved = [
            np.abs(p - kernel_density(x[draw.choice(np.arange(len(x)), size=len(x), replace=True)], x, h)).max()
            for _ in range(resamples)
        ]
        own.append(p)
        bands.append(np.quantile(moved, 1 - alpha))
    sure_real, sure_fake = (p > c for p, c in zip(own, bands, strict=True))
    by_fake, by_real = (
        kernel_density(fake, real, widths[1]) > bands[1],
        kernel_density(real, fake, widths[0]) > bands[0],
    )
    precision, recall = (sure_fake & by_real).sum() / sure_fake.sum(), (sure_real & by_fake).sum() / sure_real.sum()
    return [precision, recall, 2 / (1 / precision + 1 / recall)]


@pytest.mark.parametrize(
    ("n", "m", "d", "scale", "shift"), [(120, 90, 4, 1.1, 0.8), (90, 130, 5, 0.7, 0.9), (240, 230, 40, 1.0, 0.5)]
)
def test_they_are_the_published_scores(settings, n, m, d, scale, shift):
    real, fake = normal(n, d, 0) + 2, normal(m, d, 1, scale) + 2 + shift
    expected = published(real.double().numpy(), fake.double().numpy())
    found = scores(real, fake, settings)
    assert [score.value for score in found] == pytest.approx(expected, abs=1e-5)
    assert 0 < min(expected) and min(expected[:2]) < 1


def test_the_band_follows_its_level(settings):
    """Images with heavy tails, of which some are significant at one level only."""
    real, fake = (normal(n, 4, s) / normal(n, 1, s + 9).abs() for n, s in ((150, 0), (140, 1)))
    expected = [published(real.double().numpy(), fake.double().numpy(), alpha) for alpha in (0.1, 0.3, 0.9)]
    for alpha, values in zip((0.1, 0.3, 0.9), expected, strict=True):
        found = scores(real, fake, settings.replace(topp_alpha=alpha))
        assert [score.value for score in found] == pytest.approx(values, abs=1e-5)
    assert len({tuple(values) for values in expected}) == 3


def test_blocks_change_nothing(monkeypatch):
    real, fake, how = (
        normal(70, 4, 0),
        normal(60, 4, 1),
        {"dimensions": 32, "alpha": 0.1, "resamples": 4, "seed": 1, "redraws": 5},
    )
    whole = supports(real, fake, **how)
    monkeypatch.setattr(module, "BLOCK_BYTES", 8 * 70 * 9)
    parts = supports(real, fake, **how)
    for name in ("inside", "significant", "reached", "counts"):
        assert torch.equal(getattr(whole, name), getattr(parts, name)), name


def test_density_and_bandwidth_by_hand():
    x = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
    weights = torch.full((3, 1), 1 / 3, dtype=torch.float64)
    # At 0.5 with h = 1: two images at half the width, cos(pi / 4) each.
    found = densities(torch.tensor([[0.5], [9.0]], dtype=torch.float64), x, 1.0, weights)[:, 0]
    np.testing.assert_allclose(found, [2 / 3 * math.cos(math.pi / 4), 0], atol=1e-12)
    # In one dimension k = 5; of 8 images the first three have five after them, at distances 5, 5 and 5 or 10.
    line = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [12.0]], dtype=torch.float64)
    assert bandwidth(line) == pytest.approx(5)


def test_features_of_few_dimensions_are_not_projected():
    x = normal(5, 32, 0)
    assert torch.equal(projected(x, 32), x.double()) and projected(normal(5, 33, 0), 32).shape == (5, 32)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    projected(normal(5, 33, 0), 32)
    assert torch.equal(before, torch.get_rng_state())


def test_outliers_count_on_neither_side(settings):
    real, fake = normal(200, 3, 0), normal(200, 3, 1)
    strange = torch.cat([fake, 8 + 3 * normal(20, 3, 2)])
    clean, with_outliers = scores(real, fake, settings), scores(real, strange, settings)
    # A share of all samples would fall by 20 in 220.
    assert with_outliers[0].value > 200 / 220 * clean[0].value + 0.04 and clean[0].value > 0.9


def test_a_collapsed_model_scores_zero(settings):
    precision, recall, f1 = scores(normal(60, 3, 0), torch.full((40, 3), 9.0), settings)
    assert (precision.value, recall.value, f1.value, f1.sd) == (0, 0, 0, None)


@pytest.mark.parametrize(("score", "scale", "shift"), [(0, 1.15, 0.1), (1, 0.8, 0.4), (2, 0.8, 0.4)])
def test_the_errors_are_those_of_redrawn_samples(settings, score, scale, shift):
    """A band of ten resamples is noise too: Wilson's error alone would be half of the true one."""
    real = normal(150, 4, 0)
    found = [scores(real, normal(150, 4, 100 + s, scale) + shift, settings)[score] for s in range(40)]
    true, stated = np.std([x.value for x in found]), np.mean([x.sd for x in found])
    assert 0.7 * true < stated < 1.4 * true


def test_the_error_has_a_width_where_all_images_are_inside(settings):
    precision, *_ = scores(normal(120, 3, 0), normal(100, 3, 1, 0.1), settings)
    assert precision.value == 1 and 0 < precision.sd < 0.02


def test_what_the_errors_are_over(settings):
    precision, recall, f1 = scores(normal(120, 3, 0), normal(100, 3, 1) + 1.0, settings)
    assert precision.sd_over.endswith(" significant generated images, reference held, bootstrap")
    assert recall.sd_over == f1.sd_over == "100 generated images, reference held, bootstrap"
    assert 0 < f1.sd < precision.sd + recall.sd


def test_one_resample_says_nothing_of_the_spread_of_its_band(settings):
    found = scores(normal(120, 3, 0), normal(100, 3, 1) + 1.0, settings.replace(topp_resamples=1))
    assert all(0 < score.sd < 0.2 for score in found)


@pytest.mark.filterwarnings("error")
def test_without_errors_the_scores_are_the_same_and_nothing_is_said(settings):
    sides = [Features(x, None, "synthetic", "0" * 64) for x in (normal(120, 3, 0), normal(100, 3, 1) + 1.0)]
    whole, quick = (Comparison(*sides, settings, errors) for errors in (True, False))
    for metric in METRICS:
        assert metric.compute(whole).value == metric.compute(quick).value
        assert math.isnan(metric.compute(quick).sd)


def test_too_few_images_are_refused(settings):
    with pytest.raises(ValueError, match="fake: topp_r expects at least 22 images, got 21; score more images"):
        scores(normal(30, 4, 0), normal(21, 4, 1), settings)
