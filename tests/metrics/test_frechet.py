"""The Fréchet distance against closed forms and scipy."""

import numpy as np
import pytest
import scipy.linalg
import torch

from ganvas.metrics.frechet import frechet_distance


def correlated(n, d, seed, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g) @ torch.randn(d, d, generator=g) + shift


def test_one_dimension_is_difference_of_means_and_deviations():
    x, y = correlated(500, 1, 0), correlated(400, 1, 1, shift=3.0)
    a, b = x.double(), y.double()
    expected = (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2
    assert frechet_distance(x, y) == pytest.approx(expected.item(), rel=1e-9)


def test_multivariate_against_scipy_matrix_root():
    x, y = correlated(300, 8, 0), correlated(200, 8, 1, shift=0.5)
    a, b = x.double().numpy(), y.double().numpy()
    c1, c2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(c1 @ c2).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1 + c2 - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)


def test_large_samples_approach_the_distance_of_the_gaussians():
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(200_000, 4, generator=g), 2 * torch.randn(200_000, 4, generator=g) + 1
    # N(0, I) against N(1, 4 I): |1|^2 + sum (1 - 2)^2 = 4 + 4.
    assert frechet_distance(x, y) == pytest.approx(8.0, rel=0.01)


def test_zero_for_equal_sets_and_symmetric():
    x, y = correlated(300, 8, 0), correlated(300, 8, 1)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)


def test_invariant_to_rotation_and_order():
    x, y = correlated(300, 8, 0).double(), correlated(300, 8, 1).double()
    rotation = torch.linalg.qr(correlated(8, 8, 2).double())[0]
    expected = frechet_distance(x, y)
    assert frechet_distance(x @ rotation, y @ rotation) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x.flip(0), y) == pytest.approx(expected, rel=1e-9)


def test_moments_are_float64():
    x, y = correlated(1000, 4, 0) + 1e4, correlated(1000, 4, 1) + 1e4
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x.double(), y.double()), rel=1e-12)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x.double() - 1e4, y.double() - 1e4), rel=1e-6)


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="fake: the Fréchet distance expects at least 2 images, got 1"):
        frechet_distance(correlated(10, 3, 0), correlated(1, 3, 0))


def test_features_that_are_not_finite_are_refused():
    bad = correlated(10, 3, 0)
    bad[4, 1] = torch.nan
    with pytest.raises(ValueError, match="real: .*finite features, got 1 images with NaN or infinity"):
        frechet_distance(bad, correlated(10, 3, 0))
