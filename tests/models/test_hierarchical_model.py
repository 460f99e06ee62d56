"""VAEs with several groups of latents, where the evidence, the KL of each group and the gradients are known.

With linear maps and constant variances all distributions are normal, from the top group down to the example.
"""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from ganvas.latents import latent_activity
from ganvas.metrics.nll import evidence_bounds
from ganvas.models import HierarchicalVAE, Ramp
from ganvas.models.schedules import Constant
from ganvas.networks import init, ladder
from ganvas.objectives import ELBO, IWAE, Bound, FromDraws, Gaussian, Wasserstein
from ganvas.types import Batch, BoundsEvidence, Grouped, Reconstructs

from ..shipped import names, shipped

POINTS, GROUPS, SIGMA, K = (3,), [2, 3], 0.7, 40_000
SHAPE = (1, 8, 8)  # of the stream that `fit` trains on
KINDS = {"ladder": ladder.Ladder, "bottom_up": ladder.BottomUp}


def batch(x):
    return Batch(x, None, torch.arange(len(x)))


def network(kind, shape=POINTS, groups=GROUPS, depth=0, batch_norm=False, std=None):
    fill = partial(init.glorot_uniform_, gain=1.0) if std is None else partial(init.normal_, std=std)
    hidden = [4] * len(groups)
    return KINDS[kind](shape, groups, hidden, depth, "Tanh", batch_norm, fill, None)


def hierarchical(hierarchy, **changes):
    arguments = {
        "hierarchy": hierarchy,
        "likelihood": Gaussian(SIGMA),
        "objective": ELBO(samples=1, beta=1.0, free_bits=0.0),
        "optimizer": partial(torch.optim.Adam, lr=1e-3),
        "ema_halflife": None,
        "gradient_clip": None,
        "gradient_skip": None,
        "schedule": Constant(),
        "schedules": {},
        "accumulate": 1,
    }
    return HierarchicalVAE(**{**arguments, **changes})


def linear(kind):
    """A model whose variances do not depend on their inputs."""
    torch.manual_seed(0)
    model = hierarchical(network(kind, std=0.4)).double()
    with torch.no_grad():
        for layer in (each.output for each in [*model.hierarchy.priors, *model.hierarchy.evidence]):
            layer.weight[len(layer.weight) // 2 :] = 0
            nn.init.normal_(layer.bias, std=0.3)
        for layer in (each.output for each in model.hierarchy.evidence):  # wide, so that few weights do not rule
            layer.weight *= 0.3
            layer.bias[len(layer.bias) // 2 :] += 1.5
    return model


def affine(gaussian):
    """Weights, bias and variances of a linear normal."""
    weight, bias = gaussian.output.weight.detach(), gaussian.output.bias.detach()
    half = len(weight) // 2
    return weight[:half], bias[:half], nn.functional.softplus(bias[half:]) + ladder.LEAST_VARIANCE


def joint_prior(model):
    """Mean and covariance of both groups, the top group first."""
    w, b, s = affine(model.hierarchy.priors[0])
    mean = torch.cat([torch.zeros(2).double(), b])
    return mean, torch.cat([torch.cat([torch.eye(2), w.T], 1), torch.cat([w, w @ w.T + torch.diag(s)], 1)])


@pytest.fixture
def x():
    return torch.randn(4, *POINTS, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("kind", KINDS)
def test_importance_weights_converge_to_the_evidence(kind, x):
    model = linear(kind)
    mean, covariance = joint_prior(model)
    v, c = model.hierarchy.output.weight.detach(), model.hierarchy.output.bias.detach()
    noise = SIGMA**2 * torch.eye(3).double()
    evidence = MultivariateNormal(v @ mean[2:] + c, v @ covariance[2:, 2:] @ v.T + noise).log_prob(x)
    torch.manual_seed(2)
    bounds = evidence_bounds(model.log_weights, [batch(x)], K, chunk=10_000)
    torch.testing.assert_close(bounds.importance, evidence, atol=0.05, rtol=0)
    assert (bounds.elbo < evidence).all()


def test_the_kl_of_each_group_from_the_bottom_up_has_its_closed_form(x):
    """The posterior is a normal over both groups: its KL is torch's, and the part of the top group that by hand."""
    model = linear("bottom_up")
    upper, lower = model.hierarchy.evidence
    (b, b0, s_top), (a, a0, s_low) = affine(upper), affine(lower)
    means, cov = x @ a.T + a0, torch.diag(s_low)
    joint = torch.cat([torch.cat([b @ cov @ b.T + torch.diag(s_top), b @ cov], 1), torch.cat([cov @ b.T, cov], 1)])
    posterior = MultivariateNormal(torch.cat([means @ b.T + b0, means], 1), joint)
    total = kl_divergence(posterior, MultivariateNormal(*joint_prior(model))).mean()
    square = (means @ b.T + b0).square().sum(1) + torch.trace(b @ cov @ b.T)
    top = (0.5 * (s_top.sum() + square - 2 - s_top.log().sum())).mean()
    torch.manual_seed(3)
    with torch.no_grad():
        found = model.draws(batch(x), model.trained, 20_000).kl_by_group()
    assert float(found["kl_group_1"]) == pytest.approx(float(top), abs=0.02)
    assert float(found["kl_group_2"]) == pytest.approx(float(total - top), abs=0.05)


def test_the_kl_of_each_group_of_a_ladder_is_that_of_torch_given_the_groups_above(x):
    model = linear("ladder")
    net = model.hierarchy
    torch.manual_seed(3)
    draws = model.draws(batch(x), model.trained, 2)
    torch.manual_seed(3)
    low, top = reversed_evidence(net, x, 2)
    prior = net.priors[0](top.rsample())
    precision = 1 / low.variance + 1 / prior.variance
    posterior = Normal((low.loc / low.variance + prior.loc / prior.variance) / precision, precision**-0.5)
    expected = [kl_divergence(top, Normal(0.0, 1.0)).sum(1).mean(), kl_divergence(posterior, prior).sum(1).mean()]
    found = draws.kl_by_group()
    torch.testing.assert_close(list(found.values()), [each.detach() for each in expected])
    torch.testing.assert_close(sum(found.values()), model.objective(draws).kl.detach())
    assert list(found) == ["kl_group_1", "kl_group_2"] and not found["kl_group_1"].requires_grad


def reversed_evidence(net, x, k):
    """What a ladder without hidden layers says of each group, the bottom group first."""
    return [net.evidence[group].normal_of(x.repeat(k, 1)) for group in (1, 0)]


def explicit(model, x, k):
    """Log weights of latents, written with torch's distributions and without their noise, ``(k, n)``."""
    net = model.hierarchy
    if isinstance(net, ladder.Ladder):
        low, top = reversed_evidence(net, x, k)
        z2 = top.rsample()
        prior = net.priors[0](z2)
        precision = 1 / low.variance + 1 / prior.variance
        posterior = Normal((low.loc / low.variance + prior.loc / prior.variance) / precision, precision**-0.5)
        z1 = posterior.rsample()
        log_q = top.log_prob(z2).sum(1) + posterior.log_prob(z1).sum(1)
    else:
        first = net.evidence[1](x.repeat(k, 1))
        z1 = first.rsample()
        second = net.evidence[0](z1)
        z2 = second.rsample()
        prior = net.priors[0](z2)
        log_q = first.log_prob(z1).sum(1) + second.log_prob(z2).sum(1)
    log_p = Normal(0.0, 1.0).log_prob(z2).sum(1) + prior.log_prob(z1).sum(1)
    pixels = Independent(Normal(net.output(z1), SIGMA), 1).log_prob(x.repeat(k, 1))
    return (pixels + log_p - log_q).unflatten(0, (k, len(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_bound_is_that_of_the_explicit_formula(kind, x):
    torch.manual_seed(0)
    model = hierarchical(network(kind), objective=IWAE(samples=3)).double()
    torch.manual_seed(5)
    terms = model.objective(model.draws(batch(x), model.trained, 3))
    found = torch.autograd.grad(terms.total, list(model.parameters()))
    torch.manual_seed(5)
    bound = explicit(model, x, 3).logsumexp(0).mean() - math.log(3)
    expected = torch.autograd.grad(-bound, list(model.parameters()))
    torch.testing.assert_close(terms.bound, bound)
    torch.testing.assert_close(found, expected)


def test_the_elbo_has_the_gradient_of_its_mean_over_draws(x):
    """The closed forms have the gradient of the sampled log weights, but for the noise of 20,000 draws."""
    torch.manual_seed(0)
    model = hierarchical(network("ladder")).double()
    torch.manual_seed(5)
    terms = model.objective(model.draws(batch(x), model.trained, 20_000))
    found = torch.autograd.grad(terms.total, list(model.parameters()))
    torch.manual_seed(6)
    expected = torch.autograd.grad(-explicit(model, x, 20_000).mean(), list(model.parameters()))
    torch.testing.assert_close(found, expected, atol=0.06, rtol=0.03)


def test_it_generates_from_noise_and_has_the_abilities_of_a_vae(x):
    model = hierarchical(network("ladder")).double()
    assert isinstance(model, BoundsEvidence) and isinstance(model, Reconstructs) and isinstance(model, Grouped)
    assert model.groups == (2, 3) and model.prior.dim == 5 and model.shape == POINTS
    assert model.reconstruct(batch(x)).shape == x.shape
    z = model.prior.sample(6, generator=torch.Generator().manual_seed(0)).double()
    above, below = z.split([2, 3], 1)
    prior = model.hierarchy.priors[0](above)
    with torch.no_grad():
        torch.testing.assert_close(model.decode(z, None), model.hierarchy.output(prior.loc + prior.scale * below))
    assert {key.split(".")[0] for key in model.state_dict()} == {"hierarchy"}


def test_moments_are_those_of_the_noise_where_the_groups_above_have_their_means(x):
    model = linear("ladder")
    low, top = reversed_evidence(model.hierarchy, x, 1)
    prior = model.hierarchy.priors[0](top.loc)
    precision = 1 / low.variance + 1 / prior.variance
    mean = (low.loc / low.variance + prior.loc / prior.variance) / precision
    ((found, scale),) = model.posterior_moments([batch(x)])
    with torch.no_grad():
        torch.testing.assert_close(found, torch.cat([top.loc, (mean - prior.loc) / prior.scale], 1))
        torch.testing.assert_close(scale, torch.cat([top.scale, precision**-0.5 / prior.scale], 1))


def test_a_group_whose_posterior_is_its_prior_has_no_active_unit(x):
    model = linear("ladder")
    with torch.no_grad():
        model.hierarchy.evidence[1].output.weight.zero_()
        model.hierarchy.evidence[1].output.bias[3:] = 1e8  # evidence of no precision
    activity = latent_activity(model.posterior_moments([batch(x)]), model.prior, model.groups)
    assert activity.active_by_group == (2, 0) and activity.active_units == 2
    (evidence,) = model.own_evidence(batch(x), None, {})
    assert evidence.groups == (2, 3)


REST = {"prior": {"categorical": [2]}}  # which one of the objectives asks the prior for
OBJECTIVES = {
    name.partition("/")[2]: objective
    for name in names("objective")
    if isinstance(objective := shipped(name, REST), FromDraws)
}
OF_ONE_GROUP = {"beta_tc", "beta_tc_stratified", "dip_i", "dip_ii", "dreg", "joint_capacity", "piwae", "stl"}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_bound_trains_it_or_is_refused_by_name(name, fit):
    objective = OBJECTIVES[name]
    make = partial(hierarchical, network("bottom_up", SHAPE, depth=1), objective=objective, accumulate=2)
    if name in OF_ONE_GROUP or not isinstance(objective, Bound):
        with pytest.raises(ValueError, match=f"{type(objective).__name__} asks for latents that are one group"):
            make()
        return
    model = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, 2)
    assert all(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(value.isfinite() for value in model.terms.values())
    total = model.terms["kl_group_1"] + model.terms["kl_group_2"]
    torch.testing.assert_close(total, model.terms["kl"], rtol=1e-4, atol=1e-4)


def test_numbers_of_the_objective_are_scheduled_and_batches_are_normalised(fit):
    moved = {"objective": {"beta": Ramp(start=0.0, end=1.0, images=64)}}
    model = hierarchical(network("ladder", SHAPE, depth=2, batch_norm=True), schedules=moved, ema_halflife=100)
    fit(model, 3)  # of 16 images: the third batch sees the value after 32
    assert model.objective.beta == pytest.approx(0.5)
    assert model.sample(2, seed=0).shape == (2, *SHAPE)


@pytest.mark.parametrize(("bound", "skipped"), [(1e-3, 1.0), (1e9, 0.0)])
def test_an_update_with_a_long_gradient_is_left_out(bound, skipped, fit):
    model = hierarchical(network("ladder", SHAPE), gradient_skip=bound, gradient_clip=1e-4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fit(model, 2)
    assert float(model.terms["skipped_updates"]) == skipped
    assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items()) is not bool(skipped)
    assert float(model.gradient_norms()["vae/gradient_norm"]) > 1e-3


def test_an_update_whose_gradient_is_no_number_is_left_out(fit):
    model = hierarchical(network("ladder", SHAPE), gradient_skip=1e9)
    model.hierarchy.output.weight.register_hook(lambda gradient: gradient * math.nan)
    fit(model, 1)
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="gradient_skip=0.0: expected a norm above 0; write null"):
        hierarchical(network("ladder"), gradient_skip=0.0)
    with pytest.raises(ValueError, match="got Wasserstein; write objective=elbo"):
        hierarchical(network("ladder"), objective=Wasserstein())
