"""Checks of the promises that models, scores and reports rely on."""

from __future__ import annotations

import copy
import dataclasses
import math

import torch
from torch import Tensor, nn

from ganvas.data.source import SPLITS, Source
from ganvas.objectives import Adversarial, Constraint, Terms
from ganvas.types import Critic, Generator, Prior


def check_adversarial(objective: Adversarial) -> None:
    """Check an adversarial objective: a frozen value; finite, differentiable means; the critic separates.

    Args:
        objective: to be checked.
    """
    _check_value(objective)
    n = (5, 5) if objective.paired else (6, 4)
    torch.manual_seed(0)
    real, fake = (torch.randn(count, requires_grad=True) for count in n)
    other = real if objective.paired else None
    critic, generator = objective.critic_terms(real, fake), objective.generator_terms(fake, other)
    _check_terms(critic)
    _check_terms(generator)
    zero = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    up, down = torch.autograd.grad(objective.critic_terms(zero[0], zero[1] + 0.5).total, zero)
    (follow,) = torch.autograd.grad(
        objective.generator_terms(zero[1], zero[0] if objective.paired else None).total, zero[1]
    )
    assert (up < 0).all() and (down > 0).all(), "the critic's loss must fall as it scores real above fake"
    assert (follow < 0).all(), "the generator's loss must fall as its scores rise"
    double = objective.critic_terms(real.repeat(2), fake.repeat(2)).total
    assert torch.allclose(double, critic.total, atol=1e-6), "losses must be means over the batch"


def check_constraint(constraint: Constraint) -> None:
    """Check a constraint: a frozen value; a finite weighted scalar or None; generated examples get no gradient.

    Args:
        constraint: to be checked.
    """
    _check_value(constraint)
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    constraint.prepare(critic)
    real, fake = torch.randn(6, 1, 8, 8), torch.randn(6, 1, 8, 8, requires_grad=True)
    penalty = constraint.penalty(critic, real, fake)
    if penalty is not None:
        assert penalty.shape == () and bool(torch.isfinite(penalty)) and float(penalty) >= 0
        penalty.backward()
        assert fake.grad is None, "a penalty must not reach the generator"
    constraint.project(critic)
    assert all(bool(torch.isfinite(p).all()) for p in critic.parameters())


def check_generator(generator: Generator, dim: int) -> None:
    """Check a generator: its shapes, its range, and a state dict that restores it.

    Args:
        generator: to be checked, an ``nn.Module``.
        dim: dimension of the latent.
    """
    assert generator.latent_dim == dim
    torch.manual_seed(0)
    z = torch.randn(5, dim)
    x = generator(z)
    assert x.shape == (5, *generator.shape) and bool(torch.isfinite(x).all())
    if len(generator.shape) == 3:
        assert float(x.detach().abs().max()) <= 1, "images must lie in [-1, 1]"
    _check_state(generator, z)


def check_critic(critic: Critic) -> None:
    """Check a critic: one score an example, whatever stands beside it, twice differentiable, restored by its state.

    Args:
        critic: to be checked, an ``nn.Module``.
    """
    torch.manual_seed(0)
    x = torch.randn(4, *critic.shape, requires_grad=True)
    scores = critic(x)
    assert scores.shape == (4,)
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    slope.square().sum().backward()
    _check_state(critic, x.detach())


def check_prior(prior: Prior) -> None:
    """Check a prior: its draws are a function of the generator, and have finite log densities.

    Args:
        prior: to be checked.
    """
    z = prior.sample(6, generator=torch.Generator().manual_seed(0))
    assert z.shape == (6, prior.dim) and z.dtype == torch.float32
    assert torch.equal(z, prior.sample(6, generator=torch.Generator().manual_seed(0)))
    assert prior.log_prob(z).shape == (6,) and bool(torch.isfinite(prior.log_prob(z)).all())
    way = prior.between(z[0], z[1], torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(way[0], z[0], atol=1e-5) and torch.allclose(way[-1], z[1], atol=1e-5)
    assert math.isfinite(prior.reach) and prior.reach > 0


def check_source(source: Source) -> None:
    """Check a data set: splits in order, examples of its shape, labels in range, a fingerprint that stays.

    Args:
        source: to be checked.
    """
    assert source.splits and list(source.splits) == [split for split in SPLITS if split in source.splits]
    for split in source.splits:
        examples, again = source.load(split), source.load(split)
        index = torch.arange(min(len(examples), 4))
        batch = examples.batch(index)
        assert batch.shape == (len(index), *source.shape)
        assert batch.dtype == (torch.uint8 if len(source.shape) == 3 else torch.float32)
        assert examples.fingerprint() == again.fingerprint() and len(examples.fingerprint()) == 64
        if source.classes is not None:
            assert examples.labels is not None and len(examples.labels) == len(examples)
            assert int(examples.labels.min()) >= 0 and int(examples.labels.max()) < len(source.classes)


def _check_value(part: Adversarial | Constraint) -> None:
    assert dataclasses.is_dataclass(part) and dataclasses.replace(part) == part, "a part must be a dataclass"
    for field in dataclasses.fields(part):
        try:
            setattr(part, field.name, None)
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError(f"{type(part).__name__}: expected a frozen dataclass, {field.name} can be set")


def _check_terms(terms: Terms) -> None:
    assert terms.total.shape == () and terms.total.requires_grad and terms.total.dtype == torch.float32
    assert all(bool(torch.isfinite(value)) for value in terms.named().values())


def _check_state(network: nn.Module | Generator | Critic, x: Tensor) -> None:
    assert isinstance(network, nn.Module)
    network.eval()
    with torch.no_grad():
        whole = network(x)
        assert torch.allclose(network(x[:2]), whole[:2], atol=1e-5), "in evaluation mode examples stand alone"
        other = copy.deepcopy(network)
        for parameter in other.parameters():
            parameter.zero_()
        other.load_state_dict(network.state_dict())
        assert torch.equal(other(x), whole)
