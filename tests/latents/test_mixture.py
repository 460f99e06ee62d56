"""The Gaussian-mixture prior against torch's mixture and a numerical integral; the estimated KL against both."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from ganvas.latents import GaussianMixture, Uniform, diagonal_normal
from ganvas.latents import Normal as Standard
from ganvas.latents.kl import estimated_kl

PRIOR = GaussianMixture(dim=3, components=5, radius=2.0, sigma=0.5)


def torchs(prior):
    parts = Independent(Normal(prior.means, prior.sigma), 1)
    return MixtureSameFamily(Categorical(torch.ones(prior.components)), parts)


def test_density_equals_torchs():
    z = 3 * torch.randn(4, 50, 3)
    torch.testing.assert_close(PRIOR.log_prob(z), torchs(PRIOR).log_prob(z))


def test_means_lie_on_the_circle():
    assert torch.allclose(PRIOR.means[:, :2].norm(dim=1), torch.tensor(2.0)) and bool((PRIOR.means[:, 2] == 0).all())
    assert GaussianMixture(1, 3, 2.0, 1.0).means.flatten().tolist() == [-2, 0, 2]


def test_draws_have_the_mixtures_moments():
    z = PRIOR.sample(200_000, generator=torch.Generator().manual_seed(0)).double()
    expected = torchs(PRIOR)
    assert torch.allclose(z.mean(0), expected.mean.double(), atol=0.01)
    assert torch.allclose(z.var(0), expected.variance.double(), rtol=0.02)
    assert z.float().equal(PRIOR.sample(200_000, generator=torch.Generator().manual_seed(0)))


def test_the_estimated_kl_is_the_integral():
    prior, mean, sd = GaussianMixture(1, 3, 2.0, 0.7), 0.8, 0.4

    def integrand(z):
        p = logsumexp(norm(np.array([-2, 0, 2]), 0.7).logpdf(z)) - np.log(3)
        return norm(mean, sd).pdf(z) * (norm(mean, sd).logpdf(z) - p)

    exact, _ = quad(integrand, mean - 12 * sd, mean + 12 * sd, epsabs=1e-10)
    posterior = Independent(Normal(torch.full((1, 1), mean), sd), 1)
    torch.manual_seed(0)
    z = posterior.rsample((100_000,))
    each = posterior.log_prob(z) - prior.log_prob(z)
    found = estimated_kl(posterior.log_prob(z), prior.log_prob(z))
    assert found.shape == (1, 1) and prior.kl(posterior) is None
    assert float(found) == pytest.approx(exact, abs=4 * float(each.std()) / 100_000**0.5)


def test_the_closed_form_is_the_mean_of_the_estimate():
    posterior = diagonal_normal(torch.randn(6, 8, generator=torch.Generator().manual_seed(1)))
    torch.manual_seed(0)
    z = posterior.rsample((50_000,))
    estimate = estimated_kl(posterior.log_prob(z), Standard(4).log_prob(z)).squeeze(1)
    torch.testing.assert_close(estimate, Standard(4).kl(posterior).sum(1), rtol=0.02, atol=0.02)


def test_who_knows_a_closed_form():
    posterior = diagonal_normal(torch.randn(2, 8))
    assert Standard(4).kl(posterior).shape == (2, 4) and Uniform(4, 1.0).kl(posterior) is None
    assert Standard(4).kl(torchs(PRIOR)) is None


@pytest.mark.parametrize("values", [{"components": 0}, {"radius": -1.0}, {"sigma": 0.0}])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match=f"{next(iter(values))}="):
        GaussianMixture(**({"dim": 2, "components": 3, "radius": 1.0, "sigma": 1.0} | values))
