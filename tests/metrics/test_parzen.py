"""Parzen windows against scipy's kernel density, the direct sum, and the known score of real MNIST images."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde

from ganvas.metrics import parzen as module
from ganvas.metrics.parzen import GOODFELLOW_SIGMAS, parzen, unit_pixels, window_log_density


def uniform(n, d, seed):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed))


def test_is_scipys_kernel_density():
    samples, points = uniform(50, 1, 0), uniform(20, 1, 1)
    # scipy's bandwidth is a factor on the samples' standard deviation.
    kde = gaussian_kde(samples[:, 0].double().numpy(), bw_method=0.2 / float(samples.double().std()))
    found = window_log_density(points, samples, [0.2])[0]
    np.testing.assert_allclose(found, kde.logpdf(points[:, 0].double().numpy()), rtol=1e-5, atol=1e-5)


def direct(points, samples, sigma):
    d = samples.shape[1]
    kernels = [
        [-float(((x - s) ** 2).sum()) / (2 * sigma**2) - d / 2 * math.log(2 * math.pi * sigma**2) for s in samples]
        for x in points.double()
    ]
    return np.logaddexp.reduce(np.array(kernels), axis=1) - math.log(len(samples))


def test_is_the_direct_sum_in_many_dimensions_for_every_window():
    samples, points = uniform(30, 784, 0), uniform(8, 784, 1)
    found = window_log_density(points, samples, [0.1, 0.5, 2.0])
    for row, sigma in zip(found, [0.1, 0.5, 2.0], strict=True):
        np.testing.assert_allclose(row, direct(points, samples, sigma), atol=2e-2, rtol=1e-6)


def test_blocks_do_not_change_it(monkeypatch):
    samples, points = uniform(30, 5, 0), uniform(17, 5, 1)
    whole = window_log_density(points, samples, [0.1, 1.0])
    monkeypatch.setattr(module, "_BLOCK", 60)
    torch.testing.assert_close(window_log_density(points, samples, [0.1, 1.0]), whole, rtol=1e-5, atol=1e-5)


def test_window_is_the_best_on_validation_and_the_score_is_over_test():
    samples, validation, test = uniform(200, 2, 0), uniform(50, 2, 1), uniform(60, 2, 2) * 0.5
    found = parzen(samples, validation, test, GOODFELLOW_SIGMAS)
    best = max(GOODFELLOW_SIGMAS, key=lambda sigma: direct(validation, samples.double(), sigma).mean())
    values = direct(test, samples.double(), best)
    assert found.sigma == best
    assert found.log_likelihood.mean == pytest.approx(values.mean(), abs=1e-4)
    assert found.log_likelihood.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(60), abs=1e-4)
    assert found.log_likelihood.n == 60


def test_says_where_the_best_window_is_at_the_edge():
    samples, validation = uniform(200, 2, 0), uniform(50, 2, 1)
    assert parzen(samples, validation, validation, [0.5, 1.0]).at_edge
    assert not parzen(samples, validation, validation, [0.001, 0.1, 1.0]).at_edge
    assert not parzen(samples, validation, validation, [0.1]).at_edge


def test_grid_is_the_papers():
    np.testing.assert_allclose(GOODFELLOW_SIGMAS, np.logspace(-1, 0, 10))


def test_images_in_another_range_are_refused():
    good = uniform(4, 3, 0)
    with pytest.raises(ValueError, match=r"samples: .* images in \[0, 1\], got \[-1, .*unit_pixels"):
        parzen(2 * (good > 0.5).float() - 1, good, good, [0.1])
    with pytest.raises(ValueError, match="test: .* got no image"):
        parzen(good, good, good[:0], [0.1])
    with pytest.raises(ValueError, match="sigmas: expected positive windows"):
        parzen(good, good, good, [0.1, 0.0])


def test_pixels_are_in_unit_range():
    images = torch.tensor([0, 51, 255, 0], dtype=torch.uint8).view(1, 1, 2, 2)
    torch.testing.assert_close(unit_pixels(images), torch.tensor([[0.0, 0.2, 1.0, 0.0]]))


@pytest.mark.slow
def test_real_training_images_score_what_was_measured(mnist_root):
    """10k training images as samples: 241 to 242.5 with an error of 2.1 at the second window of the grid."""
    from torchvision.datasets import MNIST

    train = MNIST(mnist_root, train=True).data[:, None]
    test = MNIST(mnist_root, train=False).data[:, None]
    samples = train[torch.randperm(50_000, generator=torch.Generator().manual_seed(0))[:10_000]]
    found = parzen(unit_pixels(samples), unit_pixels(train[50_000:51_000]), unit_pixels(test), GOODFELLOW_SIGMAS)
    assert found.sigma == pytest.approx(0.1668, abs=1e-4)
    assert found.log_likelihood.mean == pytest.approx(242, abs=4)
    assert found.log_likelihood.standard_error == pytest.approx(2.1, abs=0.1)
