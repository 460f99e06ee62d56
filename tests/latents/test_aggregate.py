"""Densities of the aggregate posterior: by loops, without bias over batches, and for Gaussians in closed form."""

import itertools
import math

import pytest
import torch
from torch.distributions import Independent, Normal

from ganvas.latents import StratifiedSampling, WeightedSampling
from ganvas.latents.aggregate import aggregate_log_densities

SAMPLINGS = [WeightedSampling(), StratifiedSampling()]


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_densities_are_those_of_the_weighted_sums_by_loops(sampling):
    torch.manual_seed(0)
    n, k, d = 4, 2, 3
    loc, scale, z = torch.randn(n, d).double(), torch.rand(n, d).double() + 0.2, torch.randn(k, n, d).double()
    weights = sampling(n, 50).double()
    joint, marginals = aggregate_log_densities(z, Normal(loc, scale), weights)
    for i, j in itertools.product(range(k), range(n)):
        each = [Independent(Normal(loc[m], scale[m]), 1).log_prob(z[i, j]).exp() for m in range(n)]
        assert joint[i, j].item() == pytest.approx(math.log(sum(weights[j, m] * each[m] for m in range(n))))
        total = 0.0
        for c in range(d):
            single = [Normal(loc[m, c], scale[m, c]).log_prob(z[i, j, c]).exp() for m in range(n)]
            total += math.log(sum(weights[j, m] * single[m] for m in range(n)))
        assert marginals[i, j].item() == pytest.approx(total)


def test_stratified_weights_give_the_mean_of_the_training_set_over_all_batches():
    """The image of the draw is in every batch; the others are drawn without replacement, in every order."""
    densities, n, image = torch.tensor([0.3, 2.0, 0.7, 1.1, 5.0], dtype=torch.float64), 3, 1
    weights = StratifiedSampling()(n, len(densities)).double()
    torch.testing.assert_close(weights.sum(1), torch.ones(n, dtype=torch.float64))
    others = [i for i in range(len(densities)) if i != image]
    for row in range(n):
        found = []
        for chosen in itertools.permutations(others, n - 1):
            batch = list(chosen)
            batch.insert(row, image)
            found.append(weights[row] @ densities[batch])
        torch.testing.assert_close(torch.stack(found).mean(), densities.mean())


def test_weighted_sampling_is_off_by_the_logarithms_that_its_page_says():
    n, n_train = 8, 100
    weights, z = WeightedSampling()(n, n_train), torch.randn(1, n, 2)
    alike = Normal(torch.zeros(n, 2), 1.0)
    joint, _ = aggregate_log_densities(z, alike, weights)
    torch.testing.assert_close(joint, Independent(alike, 1).log_prob(z) - math.log(n_train))
    apart = Normal(1e4 * torch.arange(n).float()[:, None].expand(n, 2), 1.0)
    z = apart.sample((1,))
    joint, _ = aggregate_log_densities(z, apart, weights)
    exact = Independent(apart, 1).log_prob(z) - math.log(n_train)
    torch.testing.assert_close(joint, exact - math.log(n))


def test_the_total_correlation_of_a_gaussian_aggregate_is_its_closed_form():
    """Means with covariance C and posteriors of variance v add up to N(0, C + v I)."""
    torch.manual_seed(0)
    n, rho, v = 1500, 0.8, 0.2
    factor = torch.linalg.cholesky(torch.tensor([[1.0, rho], [rho, 1.0]]))
    posterior = Normal(torch.randn(n, 2) @ factor.T, math.sqrt(v))
    joint, marginals = aggregate_log_densities(posterior.sample((4,)), posterior, StratifiedSampling()(n, 10**6))
    correlation = rho / (1 + v)
    assert (joint - marginals).mean().item() == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.03)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize(("n", "n_train"), [(1, 1), (1, 10), (2, 2), (2, 10), (10, 10)])
def test_weights_of_any_batch_are_finite_and_not_negative(sampling, n, n_train):
    weights = sampling(n, n_train)
    assert weights.shape == (n, n) and weights.isfinite().all() and (weights >= 0).all() and (weights.sum(1) > 0).all()
