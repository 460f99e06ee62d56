"""The VAE's terms against sums written out by hand, and the pairs it refuses."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Independent, Normal, kl_divergence

from ganvas.latents import GaussianKernel, InverseMultiquadratic, Uniform, UniformSphere, VonMisesFisher
from ganvas.models import Ramp, vae
from ganvas.networks import mlp
from ganvas.objectives import IWAE, WAEMMD, Capacity, DiscretisedLogistic, FromDraws, Gaussian, InfoVAE, Wasserstein
from ganvas.types import Batch, BoundsEvidence, Encodes, Reconstructs

from ..shipped import names, shipped

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


def test_moments_hold_no_graph(variational, x, monkeypatch):
    """Those of a flow run its maps when they are asked for; the checks of types in tests ask earlier."""
    recorded = []
    monkeypatch.setattr(vae, "moments", lambda q: recorded.append(torch.is_grad_enabled()) or (q.mean, q.stddev))
    list(variational().posterior_moments([batch(x)]))
    assert recorded == [False]


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


# Objectives that bound no evidence, and those that read more than densities

WAE = WAEMMD(samples=1, weight=10.0, kernel=InverseMultiquadratic([1.0]), random_encoder=False)


def test_a_model_without_a_bound_does_not_claim_one(variational, x):
    model = variational(objective=WAE)
    assert not isinstance(model, BoundsEvidence)
    assert isinstance(model, Reconstructs) and isinstance(model, Encodes)
    assert isinstance(variational(), BoundsEvidence)
    assert model.reconstruct(batch(x)).shape == x.shape


@pytest.mark.parametrize("random", [False, True])
def test_a_deterministic_encoder_decodes_the_mean(variational, x, random):
    model = variational(objective=dataclasses.replace(WAE, random_encoder=random))
    torch.manual_seed(3)
    draws = model.draws(batch(x), model.trained, 1)
    means = torch.equal(draws.z[0], model.encoder(x).mean)
    assert means is not random
    torch.testing.assert_close(draws.location, model.decoder(draws.z[0])[None])
    assert draws.decoder is model.decoder and draws.prior_z.shape == (5, 4)


def test_draws_of_the_prior_change_no_latent_and_are_made_on_demand(variational, x):
    found = []
    for model in (variational(), variational(objective=InfoVAE(2, 1.0, 10.0, GaussianKernel(1.0)))):
        torch.manual_seed(3)
        found.append((model.draws(batch(x), model.trained, 2), torch.rand(1)))
    (plain, after), (compared, later) = found
    assert plain.prior_z is None and compared.prior_z.shape == (10, 4)
    assert torch.equal(plain.z, compared.z) and not torch.equal(after, later)


def test_capacity_is_moved_by_a_schedule(variational, fit):
    moved = {"objective": {"capacity": Ramp(start=0.0, end=25.0, images=64)}}
    model = variational(objective=Capacity(1, weight=10.0, capacity=25.0), schedules=moved)
    fit(model, 3)  # of 16 images: the third batch sees the value after 32
    assert model.objective.capacity == pytest.approx(12.5)
    kl, distance = (float(model.terms[name]) for name in ("kl", "capacity_distance"))
    assert distance == pytest.approx(abs(kl - 12.5), rel=1e-5)


REST = {"prior": {"categorical": [2]}}  # which one of the objectives asks the prior for
OBJECTIVES = {
    name.partition("/")[2]: objective
    for name in names("objective")
    if isinstance(objective := shipped(name, REST), FromDraws)
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains_encoder_and_decoder_and_logs_its_terms(name, variational, fit):
    objective = OBJECTIVES[name]
    model = variational(objective=objective, accumulate=2)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, 2)
    moved = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert {key.split(".")[0] for key in moved} == {"encoder", "decoder"}
    assert all(value.isfinite() for value in model.terms.values())
    assert ("elbo" in model.terms) is objective.bounds_evidence is isinstance(model, BoundsEvidence)
    assert len(OBJECTIVES) >= 18
