"""Bounds on the evidence, where the evidence is known: a linear decoder with Gaussian noise."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal, Normal

from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.nll import evidence_bounds, importance_bound
from ganvas.objectives.bounds.importance import iwae_bound


class LinearGaussian:
    """Probabilistic PCA as a VAE whose posterior is right but for its spread and a shift."""

    def __init__(self, x, latents, spread, shift, seed):
        self.pca = PCA(latents, svd_solver="full").fit(x.numpy())
        self.noise = self.pca.noise_variance_
        scale = np.sqrt(self.pca.explained_variance_ - self.noise)
        self.w = torch.from_numpy(self.pca.components_.T * scale)
        self.mean = torch.from_numpy(self.pca.mean_)
        precision = torch.eye(latents) + self.w.T @ self.w / self.noise
        self.covariance = torch.linalg.inv(precision)
        self.spread, self.shift = spread, shift
        self.random = torch.Generator().manual_seed(seed)

    def log_weights(self, x, k):
        loc = (x - self.mean) @ self.w @ self.covariance / self.noise + self.shift
        q = MultivariateNormal(loc, self.covariance * self.spread)
        noise = torch.randn(k, *loc.shape, generator=self.random, dtype=torch.float64)
        z = loc + noise @ torch.linalg.cholesky(q.covariance_matrix[0]).T
        likelihood = Normal(z @ self.w.T + self.mean, math.sqrt(self.noise)).log_prob(x).sum(-1)
        return likelihood + Normal(0.0, 1.0).log_prob(z).sum(-1) - q.log_prob(z)


@pytest.fixture
def x():
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(4, 12, generator=random, dtype=torch.float64)
    return torch.randn(200, 4, generator=random, dtype=torch.float64) @ mixing + torch.randn(
        200, 12, generator=random, dtype=torch.float64
    )


def test_5000_draws_are_within_a_twentieth_of_a_nat_of_the_exact_evidence(x):
    model = LinearGaussian(x, 4, spread=1.5, shift=0.1, seed=1)
    exact = model.pca.score_samples(x.numpy())
    covariance = (model.w @ model.w.T + model.noise * torch.eye(12)).numpy()
    np.testing.assert_allclose(exact, multivariate_normal(model.pca.mean_, covariance).logpdf(x.numpy()))
    bounds = evidence_bounds(model.log_weights, x.split(75), 5000, chunk=500)
    assert bounds.importance.mean() == pytest.approx(exact.mean(), abs=0.05)
    np.testing.assert_allclose(bounds.importance, exact, atol=0.5)
    assert bounds.elbo.mean() < exact.mean() - 0.1
    assert (bounds.elbo <= bounds.importance).all()


def test_the_exact_posterior_needs_one_draw(x):
    model = LinearGaussian(x, 4, spread=1.0, shift=0.0, seed=1)
    bounds = evidence_bounds(model.log_weights, [x], 1, chunk=1)
    np.testing.assert_allclose(bounds.importance, model.pca.score_samples(x.numpy()), rtol=1e-9)
    assert torch.equal(bounds.importance, bounds.elbo)


def test_elbo_is_the_evidence_minus_the_divergence_from_the_posterior(x):
    model = LinearGaussian(x, 4, spread=1.5, shift=0.1, seed=1)
    shift, c = torch.full((4,), 0.1, dtype=torch.float64), model.covariance
    divergence = torch.distributions.kl_divergence(
        MultivariateNormal(shift, 1.5 * c), MultivariateNormal(torch.zeros_like(shift), c)
    )
    elbo = evidence_bounds(model.log_weights, [x], 1000, chunk=250).elbo.mean()
    assert elbo == pytest.approx(model.pca.score(x.numpy()) - float(divergence), abs=0.01)


def table(k, n, seed=0, dtype=torch.float64):
    return 300 * torch.randn(k, n, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def served(draws):
    """Log weights from a table, one row a draw, whatever the chunks."""
    taken = 0

    def log_weights(images, k):
        nonlocal taken
        taken += k
        return draws[taken - k : taken]

    return log_weights


@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_chunks_do_not_change_the_bound(chunk):
    draws, images = table(100, 5), [torch.zeros(5, 1)]
    bounds = evidence_bounds(served(draws), images, 100, chunk)
    torch.testing.assert_close(bounds.importance, iwae_bound(draws), rtol=1e-13, atol=0)
    torch.testing.assert_close(bounds.elbo, draws.mean(0), rtol=1e-12, atol=1e-10)


def test_bound_rises_with_k_in_expectation(x):
    model = LinearGaussian(x, 4, spread=2.0, shift=0.5, seed=2)
    means = [importance_bound(model.log_weights, [x], k, chunk=50).mean() for k in (1, 5, 50, 500)]
    assert means == sorted(means)
    assert means[-1] - means[0] > 1


def test_accumulates_in_float64_and_keeps_the_order_of_batches():
    draws = table(40, 6, dtype=torch.float32)
    first, second = draws[:, :4], draws[:, 4:]
    log_weights = lambda images, k: first if len(images) == 4 else second  # noqa: E731
    bounds = evidence_bounds(log_weights, torch.zeros(6, 2).split(4), 40, chunk=40)
    assert bounds.importance.dtype == torch.float64
    torch.testing.assert_close(bounds.importance, iwae_bound(draws.double()), rtol=1e-13, atol=0)


def test_memory_is_bounded_by_the_chunk():
    asked = []

    def log_weights(images, k):
        asked.append(k)
        return torch.zeros(k, len(images))

    importance_bound(log_weights, [torch.zeros(3, 1)], 5000, chunk=300)
    assert max(asked) == 300
    assert sum(asked) == 5000


@pytest.mark.parametrize(
    "k, chunk, images, message",
    [
        (0, 1, [torch.zeros(2, 1)], "k: expected at least 1"),
        (1, 0, [torch.zeros(2, 1)], "chunk: expected at least 1"),
        (1, 1, [], "images: expected at least one image"),
        (1, 1, [torch.zeros(3, 1)], r"expected shape \(k, n\) = \(1, 3\), got \(1, 2\)"),
    ],
)
def test_bad_arguments_are_refused(k, chunk, images, message):
    with pytest.raises(ValueError, match=message):
        importance_bound(lambda images, k: torch.zeros(k, 2), images, k, chunk)


def test_a_diverged_model_is_refused_by_image():
    def log_weights(images, k):
        return torch.tensor([[0.0, math.nan, 1.0]]).expand(k, 3)

    with pytest.raises(ValueError, match="1 of 3 images .* the first is number 1"):
        importance_bound(log_weights, [torch.zeros(3, 1)], 4, 2)


def test_mean_and_standard_error():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0])
    found = mean_error(values)
    assert found.mean == 4.0
    assert found.standard_error == pytest.approx(np.std(values.numpy(), ddof=1) / 2)
    assert math.isnan(mean_error(values[:1]).standard_error)
    with pytest.raises(ValueError, match="1 not finite"):
        mean_error(torch.tensor([1.0, math.inf]))
