"""The normal with all covariances against torch.distributions, and its divergence by the chain rule."""

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ganvas.latents import FullNormal, diagonal_normal, normal_kl
from ganvas.latents import Normal as Prior

D = 3


@pytest.fixture
def parameters():
    return torch.randn(4, FullNormal().outputs(D), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_divergence_is_that_of_torch_and_each_part_that_of_a_conditional(parameters):
    posterior, mean = FullNormal()(parameters), parameters[:, :D]
    covariance = posterior.covariance_matrix
    kl = Prior(D).kl(posterior)
    standard = MultivariateNormal(torch.zeros(D).double(), torch.eye(D).double())
    torch.testing.assert_close(kl.sum(1), kl_divergence(MultivariateNormal(mean, covariance), standard))
    # The first coordinate alone is its marginal; the first two are the divergence of their marginal.
    marginal = Normal(mean[:, 0], covariance[:, 0, 0].sqrt())
    torch.testing.assert_close(kl[:, 0], kl_divergence(marginal, Normal(torch.zeros(()).double(), 1.0)))
    pair = MultivariateNormal(mean[:, :2], covariance[:, :2, :2])
    expected = kl_divergence(pair, MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double()))
    torch.testing.assert_close(kl[:, :2].sum(1), expected)
    assert (kl >= 0).all()


def test_factor_is_made_of_the_parameters_row_by_row(parameters):
    factor = FullNormal()(parameters).scale_tril
    torch.testing.assert_close(factor.diagonal(dim1=1, dim2=2), (parameters[:, D : 2 * D] / 2).exp())
    assert torch.equal(factor[:, [1, 2, 2], [0, 0, 1]], parameters[:, 2 * D :]) and not factor.triu(1).any()


def test_without_entries_below_the_diagonal_it_is_the_diagonal_normal(parameters):
    parameters[:, 2 * D :] = 0
    full, diagonal = FullNormal()(parameters), diagonal_normal(parameters[:, : 2 * D])
    z = diagonal.sample((5,))
    torch.testing.assert_close(full.log_prob(z), diagonal.log_prob(z))
    torch.testing.assert_close(full.stddev, diagonal.stddev)
    torch.testing.assert_close(Prior(D).kl(full), normal_kl(diagonal.mean, diagonal.stddev))
