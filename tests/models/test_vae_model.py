"""The VAE's terms against sums written out by hand, and the pairs it refuses."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Independent, Normal, kl_divergence

from ganvas.latents import Uniform, UniformSphere, VonMisesFisher
from ganvas.networks import mlp
from ganvas.objectives import IWAE, DiscretisedLogistic, Gaussian, Wasserstein
from ganvas.types import Batch

SHAPE = (1, 8, 8)


def batch(x):
    return Batch(x, None, torch.arange(len(x)))


@pytest.fixture
def x():
    return torch.randint(0, 2, (5, *SHAPE), generator=torch.Generator().manual_seed(0)) * 2.0 - 1


def test_the_elbo_is_the_elbo(variational, x):
    model = variational()
    torch.manual_seed(3)
    terms = model.evaluate(batch(x)).named()
    torch.manual_seed(3)
    with torch.no_grad():
        posterior = model.encoder(x)
        z = posterior.rsample((1,))[0]
        pixels = TorchBernoulli(logits=model.decoder(z)).log_prob((x + 1) / 2)
        kl = kl_divergence(posterior, Independent(Normal(torch.zeros(5, 4), 1.0), 1))
    assert float(terms["reconstruction"]) == pytest.approx(float(pixels.sum((1, 2, 3)).mean()), rel=1e-5)
    assert float(terms["kl"]) == pytest.approx(float(kl.mean()), rel=1e-5)
    assert float(terms["elbo"]) == pytest.approx(float(terms["reconstruction"] - terms["kl"]), rel=1e-6)


def test_more_importance_samples_tighten_the_bound(variational, x):
    torch.manual_seed(0)
    few = torch.stack([variational(objective=IWAE(samples=1)).evaluate(batch(x)).bound for _ in range(200)]).mean()
    many = torch.stack([variational(objective=IWAE(samples=50)).evaluate(batch(x)).bound for _ in range(20)]).mean()
    assert many > few


def test_a_learned_scale_learns_the_noise_of_the_data(variational, fit):
    model = variational(likelihood=Gaussian(sigma=None))
    assert model.log_scale.shape == (1, 1, 1)
    before = model.log_scale.detach().clone()
    fit(model, 3)
    # Uniform noise on [-1, 1] has sd 1/sqrt(3): the scale must fall from its first value, 1.
    assert float(model.log_scale.detach()) < float(before) == 0.0


@pytest.mark.parametrize("likelihood", [Gaussian(sigma=0.5), DiscretisedLogistic(scale=None)])
def test_reconstructions_are_images(variational, x, likelihood):
    model = variational(likelihood=likelihood)
    assert model.reconstruct(batch(x)).shape == x.shape
    assert model.sample(3, seed=0).shape == (3, *SHAPE)


def test_posterior_and_prior_lie_in_the_same_space(variational):
    encoder = partial(mlp.Encoder, SHAPE, 4, hidden=[8], activation="ReLU", init=torch.nn.init.xavier_uniform_)
    with pytest.raises(ValueError, match=r"\(sphere\), got Normal \(reals\): .*; write prior=sphere$"):
        variational(encoder=encoder(posterior=VonMisesFisher(least=1.0)))
    with pytest.raises(ValueError, match="got UniformSphere .* or mixture, or posterior=von_mises_fisher$"):
        variational(prior=UniformSphere(4))
    model = variational(encoder=encoder(posterior=VonMisesFisher(least=1.0)), prior=UniformSphere(4))
    torch.testing.assert_close(model.prior.sample(3).norm(dim=1), torch.ones(3))


def test_impossible_pairs_are_refused_by_name(variational, networks):
    with pytest.raises(ValueError, match=r"\(reals\), got Uniform \(cube\): .*; write prior=normal or mixture"):
        variational(prior=Uniform(4, bound=1.0))
    with pytest.raises(ValueError, match="got Wasserstein; write objective=elbo"):
        variational(objective=Wasserstein())
    with pytest.raises(ValueError, match="prior 4, encoder 4, decoder 5"):
        variational(decoder=networks(latent=5)["decoder"])
    with pytest.raises(ValueError, match=r"reads examples of shape \(1, 8, 8\), the decoder writes \(1, 4, 4\)"):
        variational(decoder=networks(shape=(1, 4, 4))["decoder"])


def test_log_weights_are_those_written_by_hand(variational, x):
    model = variational()
    torch.manual_seed(3)
    found = model.log_weights(batch(x), 6)
    torch.manual_seed(3)
    with torch.no_grad():
        posterior = model.encoder(x)
        z = posterior.rsample((6,))
        pixels = torch.stack([TorchBernoulli(logits=model.decoder(d)).log_prob((x + 1) / 2).sum((1, 2, 3)) for d in z])
    expected = pixels + Normal(0.0, 1.0).log_prob(z).sum(-1) - posterior.log_prob(z)
    assert found.shape == (6, 5) and not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(model.posterior(batch(x)).mean, posterior.mean)
