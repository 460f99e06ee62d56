"""Learned priors against torch.distributions, and draws that depend on the generator alone."""

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from ganvas.latents import LearnedMixture, VampPrior, VonMisesFisher, diagonal_normal
from ganvas.latents.vamp import AggregatePosterior
from ganvas.types import ReadsEncoder

K, D = 3, 2


@pytest.fixture
def mixture():
    torch.manual_seed(0)
    prior = LearnedMixture(D, K, spread=2.0)
    with torch.no_grad():
        prior.log_scales.copy_(torch.randn(K, D) / 2)
        prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return prior


def same(prior):
    normals = Independent(Normal(prior.means, prior.log_scales.exp()), 1)
    return MixtureSameFamily(Categorical(logits=prior.logits), normals)


def test_mixture_has_the_density_of_torch(mixture):
    z = torch.randn(4, 5, D)
    torch.testing.assert_close(mixture.log_prob(z), same(mixture).log_prob(z))
    assert mixture.kl(diagonal_normal(torch.zeros(1, 2 * D))) is None


def test_mixture_draws_have_its_moments(mixture):
    z = mixture.sample(40_000, generator=torch.Generator().manual_seed(0))
    assert not z.requires_grad
    torch.testing.assert_close(z.mean(0), same(mixture).mean.detach(), atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), same(mixture).stddev.detach(), atol=0.05, rtol=0)
    assert (z.abs() < mixture.reach).float().mean() > 0.99


def encode(images):
    """A stand-in for an encoder: mean and log-variance from the pixels."""
    flat = images.flatten(1)
    return diagonal_normal(torch.cat([3 * flat[:, :D], flat[:, D : 2 * D]], dim=1))


@pytest.fixture
def vamp():
    torch.manual_seed(0)
    return VampPrior(D, shape=(1, 2, 2), components=K, start=-0.5, spread=0.3)


def test_vamp_prior_is_the_mean_of_the_posteriors_of_its_images(vamp):
    assert isinstance(vamp, ReadsEncoder) and vamp.images.abs().max() < 1
    z, prior = torch.randn(4, 5, D), vamp.given(encode)
    posterior = encode(vamp.images)
    parts = [Independent(Normal(m, s), 1) for m, s in zip(posterior.mean, posterior.stddev, strict=True)]
    expected = sum(part.log_prob(z).exp() for part in parts) / K
    torch.testing.assert_close(prior.log_prob(z), expected.log())
    assert torch.autograd.grad(prior.log_prob(z).sum(), vamp.inputs)[0].any()


def test_pseudo_inputs_begin_around_the_mean_pixel():
    torch.manual_seed(0)
    images = VampPrior(D, (1, 8, 8), components=200, start=-0.9, spread=0.02).images
    assert images.mean().item() == pytest.approx(-0.9, abs=0.01)
    assert images.std().item() == pytest.approx(0.02, abs=0.003)
    points = VampPrior(D, (2,), components=200, start=0.0, spread=3.0).images
    assert points.abs().max() > 3


def test_vamp_draws_are_those_of_the_mixture(vamp):
    prior = vamp.given(encode)
    before = torch.get_rng_state()
    z = prior.sample(30_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state()) and not z.requires_grad
    posterior = encode(vamp.images)
    mixture = MixtureSameFamily(Categorical(torch.ones(K)), Independent(Normal(posterior.mean, posterior.stddev), 1))
    torch.testing.assert_close(z.mean(0), mixture.mean.detach(), atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), mixture.stddev.detach(), atol=0.05, rtol=0)
    assert len(z.unique(dim=0)) == len(z)  # no draw is used twice


def test_any_family_can_be_mixed():
    torch.manual_seed(0)
    prior = AggregatePosterior(VonMisesFisher(least=1.0)(torch.randn(K, D + 1)))
    z = prior.sample(7, generator=torch.Generator().manual_seed(0))
    assert z.shape == (7, D) and prior.log_prob(z).isfinite().all()


@pytest.mark.parametrize(("components", "spread"), [(0, 1.0), (2, -1.0)])
def test_numbers_out_of_range_are_refused(components, spread):
    message = f"components={components}, spread={spread}.*Fix: set prior.components"
    with pytest.raises(ValueError, match=message):
        LearnedMixture(2, components, spread)
    with pytest.raises(ValueError, match=message):
        VampPrior(2, (1, 2, 2), components, 0.0, spread)
