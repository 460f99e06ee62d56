"""The kernel distance against its double sum, and its unbiasedness."""

import numpy as np
import pytest
import torch

from ganvas.metrics.kid import kernel_distance, subset_size


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
