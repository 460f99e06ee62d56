"""A posterior held constant: the same density, no gradient to its parameters, the right one to the draws."""

import pytest
import torch
from torch import nn
from torch.distributions import (
    AffineTransform,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    TanhTransform,
    Transform,
    TransformedDistribution,
    constraints,
)

from ganvas.latents import detached, diagonal_normal
from ganvas.latents.posteriors import require_normal

F64 = torch.float64


class Own:
    """A posterior outside torch.distributions, held constant by its own method."""

    def __init__(self, loc, scale):
        self.loc, self.scale = loc, scale

    @property
    def mean(self):
        return self.loc

    def rsample(self, shape):
        return self.loc + self.scale * torch.randn(*shape, *self.loc.shape, dtype=self.loc.dtype)

    def log_prob(self, value):
        return Normal(self.loc, self.scale).log_prob(value).sum(-1)

    def detached(self):
        return Own(self.loc.detach(), self.scale.detach())


class Squashed(Independent):
    """A distribution of torch with a mean, as a posterior needs one; torch has none of a transformed normal."""

    @property
    def mean(self):
        return self.base_dist.transforms[0].loc.tanh()


def squashed(loc, scale):
    # cache_size=1: the transform remembers the draw it made, and with it the gradient to the parameters.
    steps = [AffineTransform(loc, scale, cache_size=1), TanhTransform(cache_size=1)]
    return Squashed(TransformedDistribution(Normal(torch.zeros_like(loc), scale), steps), 1)


MAKERS = {
    "diagonal": lambda loc, scale: Independent(Normal(loc, scale), 1),
    "encoder's": lambda loc, scale: diagonal_normal(torch.cat([loc, 2 * scale.log()], dim=-1)),
    "triangular": lambda loc, scale: MultivariateNormal(
        loc, scale_tril=torch.diag_embed(scale) + 0.3 * loc[:, :, None] * torch.ones(3, 3, dtype=F64).tril(-1)
    ),
    "precision": lambda loc, scale: MultivariateNormal(loc, precision_matrix=torch.diag_embed(scale)),
    "low rank": lambda loc, scale: LowRankMultivariateNormal(loc, loc[:, :, None], scale),
    "squashed": squashed,
    "stretched": lambda loc, scale: Squashed(
        TransformedDistribution(Normal(loc, scale), [AffineTransform(loc, scale), AffineTransform(loc, scale).inv]), 1
    ),
    "own": Own,
}


@pytest.fixture
def parameters():
    torch.manual_seed(0)
    return torch.randn(4, 3, dtype=F64, requires_grad=True), torch.rand(4, 3, dtype=F64).add(0.2).requires_grad_()


@pytest.mark.parametrize("name", MAKERS)
def test_density_is_the_same_and_its_gradient_goes_through_the_draws_alone(name, parameters):
    posterior = MAKERS[name](*parameters)
    z = posterior.rsample((2,))
    found = detached(posterior).log_prob(z)
    torch.testing.assert_close(found, posterior.log_prob(z))
    # The truth: the same family, made of parameters without a graph.
    constant = MAKERS[name](*(p.detach() for p in parameters))
    expected = torch.autograd.grad(constant.log_prob(z).sum(), parameters, retain_graph=True, allow_unused=True)
    torch.testing.assert_close(torch.autograd.grad(found.sum(), parameters, allow_unused=True), expected)
    assert not detached(posterior).log_prob(z.detach()).requires_grad


@pytest.mark.parametrize("name", MAKERS)
def test_the_posterior_itself_keeps_its_gradient(name, parameters):
    posterior = MAKERS[name](*parameters)
    z = posterior.rsample((2,)).detach()
    detached(posterior)
    assert torch.autograd.grad(posterior.log_prob(z).sum(), parameters[0])[0].abs().sum() > 0


class Network(Transform):
    domain = codomain = constraints.real
    bijective = True

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)


class Flow(TransformedDistribution):
    mean = torch.zeros(2)


class Unable(Own):
    detached = None


@pytest.mark.parametrize(
    "posterior", [Flow(Normal(torch.zeros(2), 1.0), [Network()]), Unable(torch.zeros(2), torch.ones(2))]
)
def test_what_cannot_be_held_constant_is_refused(posterior):
    with pytest.raises(ValueError, match=r"^posterior: got (Linear|Unable), .*give it a method detached\(\)"):
        detached(posterior)


def test_a_diagonal_normal_is_required_with_the_reason():
    assert require_normal(Independent(Normal(torch.zeros(2, 3), 2.0), 1), "x").scale.mean() == 2
    with pytest.raises(ValueError, match="got MultivariateNormal, expected a diagonal normal, because it is so"):
        require_normal(MultivariateNormal(torch.zeros(2), torch.eye(2)), "it is so")
