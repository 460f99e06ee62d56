"""The importance-weighted bound of a VAE under every prior and posterior, where the evidence is known.

Decoder and noise are linear and Gaussian. Under a Gaussian prior, or a mixture of them, the evidence has a closed form;
on a circle it is an integral in one variable.
"""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from ganvas.latents import (
    FlowPrior,
    FullNormal,
    InverseAutoregressive,
    LearnedMixture,
    MaskedAutoregressive,
    Normal,
    PlanarFlow,
    UniformSphere,
    VampPrior,
    VonMisesFisher,
)
from ganvas.metrics.nll import evidence_bounds
from ganvas.networks import mlp
from ganvas.objectives import Gaussian
from ganvas.types import Batch

D, SIGMA, K = 2, 0.8, 6000
SHAPE = (3,)


def small(weight):
    nn.init.normal_(weight, std=0.2)


@pytest.fixture
def x():
    return torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model(variational):
    def make(prior, family=None):
        named = {} if family is None else {"posterior": family}
        encoder = mlp.Encoder(SHAPE, prior.dim, hidden=[], activation="ReLU", init=small, **named)
        decoder = mlp.Decoder(
            SHAPE, prior.dim, hidden=[], activation="ReLU", init=lambda w: nn.init.normal_(w, std=0.6)
        )
        return variational(prior=prior, encoder=encoder, decoder=decoder, likelihood=Gaussian(SIGMA)).double()

    torch.manual_seed(0)
    return make


def exact(model, x, weights, means, scales):
    """Log evidence under a mixture of normals with independent coordinates."""
    w, b = model.decoder.output.weight.detach(), model.decoder.output.bias.detach()
    noise = SIGMA**2 * torch.eye(*SHAPE).double()
    parts = [
        math.log(weight) + MultivariateNormal(w @ mean + b, w @ torch.diag(scale**2) @ w.T + noise).log_prob(x)
        for weight, mean, scale in zip(weights, means.double(), scales.double(), strict=True)
    ]
    return torch.stack(parts).logsumexp(0)


def bound(model, x):
    torch.manual_seed(2)
    batch = Batch(x.double(), None, torch.arange(len(x)))
    return evidence_bounds(model.log_weights, [batch], K, chunk=2000).importance


def standard(model, x):
    return exact(model, x.double(), [1.0], torch.zeros(1, D), torch.ones(1, D))


FAMILIES = {
    "full_normal": FullNormal,
    "planar": lambda: PlanarFlow(length=2),
    "iaf": lambda: InverseAutoregressive(D, maps=2, hidden=[8], context=3, gate=2.0),
    "maf": lambda: MaskedAutoregressive(D, maps=2, hidden=[8], context=3),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_posterior_gives_the_evidence(name, model, x):
    torch.manual_seed(0)
    found = model(Normal(D), FAMILIES[name]())
    torch.testing.assert_close(bound(found, x), standard(found, x), atol=0.05, rtol=0)


def test_a_learned_mixture(model, x):
    start = model(LearnedMixture(D, components=1, spread=0.0))
    torch.testing.assert_close(bound(start, x), standard(start, x), atol=0.05, rtol=0)
    prior = LearnedMixture(D, components=2, spread=1.0)
    with torch.no_grad():
        prior.log_scales.copy_(torch.tensor([[-0.5, 0.1], [0.2, -0.3]]))
        prior.logits.copy_(torch.tensor([0.0, math.log(3)]))
    moved = model(prior)
    expected = exact(moved, x.double(), [0.25, 0.75], prior.means.detach(), prior.log_scales.detach().exp())
    torch.testing.assert_close(bound(moved, x), expected, atol=0.05, rtol=0)
    assert not torch.allclose(expected, standard(moved, x), atol=0.1)


def test_a_flow_prior(model, x):
    prior = FlowPrior(D, layers=2, hidden=[4])
    start = model(prior)
    torch.testing.assert_close(bound(start, x), standard(start, x), atol=0.05, rtol=0)
    with torch.no_grad():  # log-deviation and mean of one coordinate by layer, whatever the other is
        prior.layers[0].body[-1].bias.copy_(torch.tensor([0.2, -0.5]))
        prior.layers[1].body[-1].bias.copy_(torch.tensor([-0.4, 1.0]))
    mean, deviation = torch.tensor([[1.0, -0.5]]), torch.tensor([[-0.4, 0.2]]).tanh().exp()
    expected = exact(start, x.double(), [1.0], mean, deviation)
    torch.testing.assert_close(bound(start, x), expected, atol=0.05, rtol=0)
    assert not torch.allclose(expected, standard(start, x), atol=0.1)


@pytest.mark.parametrize("moved", [False, True])
def test_a_vamp_prior(moved, model, x):
    prior = VampPrior(D, SHAPE, components=2, start=0.0, spread=2.0 if moved else 0.0)
    made = model(prior)  # the biases of its encoder are 0, so that an input of 0 has the posterior N(0, I)
    posterior = made.encoder(prior.inputs)
    expected = exact(made, x.double(), [0.5, 0.5], posterior.mean.detach(), posterior.stddev.detach())
    torch.testing.assert_close(bound(made, x), expected, atol=0.05, rtol=0)
    assert torch.allclose(expected, standard(made, x), atol=1e-6) != moved


def test_the_sphere(model, x):
    made = model(UniformSphere(2), VonMisesFisher(least=0.5))
    angle = torch.arange(2000).double() * (2 * math.pi / 2000)
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    location = made.decoder(z).detach()
    density = torch.distributions.Normal(location[:, None], SIGMA).log_prob(x.double()).sum(-1)
    torch.testing.assert_close(bound(made, x), density.logsumexp(0) - math.log(2000), atol=0.05, rtol=0)
