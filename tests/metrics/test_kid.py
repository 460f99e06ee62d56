"""The kernel distance against its double sum, and its unbiasedness."""

import numpy as np
import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.kid import kernel_distance, subset_size
from ganvas.metrics.registry import metrics, settings_of


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def test_one_full_subset_is_the_double_sum():
    x, y = normal(12, 3, 0).double(), normal(12, 3, 1, shift=0.5).double()
    m, d = x.shape

    def k(a, b):
        return (float(a @ b) / d + 1) ** 3

    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = sum(k(a, b) for a in x for b in y) / m**2
    assert kernel_distance(x, y, subsets=1, size=m, seed=0)[0] == pytest.approx(within - 2 * across, rel=1e-10)


def test_averages_zero_under_the_null():
    values = [
        kernel_distance(normal(40, 6, 2 * s), normal(40, 6, 2 * s + 1), subsets=1, size=40, seed=0)[0]
        for s in range(400)
    ]
    error = np.std(values) / np.sqrt(len(values))
    # A biased estimate would stand some 20 standard errors above zero here.
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0


def test_positive_for_shifted_sides():
    mean, sd = kernel_distance(normal(500, 6, 0), normal(500, 6, 1, shift=1.0), subsets=10, size=200, seed=0)
    assert mean > 5 * sd > 0


def test_subset_is_cut_to_the_smaller_side():
    assert subset_size(1000, 3500, 64) == 64
    assert subset_size(1000, 3500, 5000) == 1000
    kernel_distance(normal(64, 3, 0), normal(500, 3, 1), subsets=2, size=1000, seed=0)


def test_follows_its_seed_only():
    x, y = normal(200, 4, 0), normal(200, 4, 1)
    first = kernel_distance(x, y, subsets=5, size=50, seed=7)
    np.random.seed(3)
    assert kernel_distance(x, y, subsets=5, size=50, seed=7) == first
    assert kernel_distance(x, y, subsets=5, size=50, seed=8) != first


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="real: the kernel distance expects at least 2 images, got 1"):
        kernel_distance(normal(1, 3, 0), normal(9, 3, 0), subsets=1, size=5, seed=0)


def pair(real, fake, **settings):
    sides = (Features(x, None, "toy", "0" * 64) for x in (real, fake))
    return Comparison(*sides, settings_of({"kid_subsets": 1, "kid_subset_size": len(real), **settings}))


def unbiased(x, y, k):
    """Double sum over all pairs of one side but the diagonal, and over all pairs of both."""
    m = len(x)
    within = sum(k(side[i], side[j]) for side in (x, y) for i in range(m) for j in range(m) if i != j)
    return within / (m * (m - 1)) - 2 * np.mean([[k(a, b) for b in y] for a in x])


def test_the_polynomial_kernel_is_the_double_sum_and_kid_at_its_numbers():
    x, y = normal(11, 3, 0).double(), normal(11, 3, 1, shift=0.5).double()
    settings = {"kid_degree": 2, "kid_slope": 0.5, "kid_offset": 2.0}
    expected = unbiased(x.numpy(), y.numpy(), lambda a, b: (0.5 * (a @ b) / 3 + 2.0) ** 2)
    polynomial = metrics()["kid_polynomial"].compute
    assert polynomial(pair(x, y, **settings)).value == pytest.approx(expected, rel=1e-9)
    cubic = {"kid_degree": 3, "kid_slope": 1.0, "kid_offset": 1.0}
    assert polynomial(pair(x, y, **cubic)).value == pytest.approx(metrics()["kid"].compute(pair(x, y)).value, rel=1e-9)


def test_the_gaussian_kernel_is_the_double_sum_and_averages_zero_under_the_null():
    x, y = normal(11, 3, 0).double(), normal(11, 3, 1, shift=0.5).double()
    gaussian = metrics()["kid_gaussian"].compute
    expected = unbiased(x.numpy(), y.numpy(), lambda a, b: np.exp(-((a - b) ** 2).sum() / (2 * 1.5**2)))
    assert gaussian(pair(x, y, kid_sigma=1.5)).value == pytest.approx(expected, rel=1e-9)
    values = [gaussian(pair(normal(30, 3, 2 * s), normal(30, 3, 2 * s + 1), kid_sigma=1.5)).value for s in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(200) and min(values) < 0


def test_the_calibration_of_other_kernels_takes_fewer_subsets_too():
    for name in ("kid_polynomial", "kid_gaussian"):
        assert {"kid_subsets", "kid_subset_size", "seed"} < {setting.name for setting in metrics()[name].settings}
