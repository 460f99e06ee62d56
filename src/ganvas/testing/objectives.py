"""Contracts of objectives: adversarial losses, constraints, likelihoods and bounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from ganvas.latents import normal_kl
from ganvas.objectives import (
    Adversarial,
    Auxiliary,
    Bound,
    Constraint,
    Divergence,
    Draws,
    Likelihood,
    Penalty,
    Projection,
    Reparametrisation,
    Scene,
    Terms,
)
from ganvas.types import Judged

SHAPES = [(2,), (1, 8, 8), (3, 8, 8)]
"""Shapes of examples for the tests of constraints and likelihoods: points, grey images, colour images."""


def assert_value(part: Any) -> None:
    """Assert that a part is a frozen dataclass that equals its copy."""
    assert dataclasses.is_dataclass(part) and not isinstance(part, type)
    assert dataclasses.replace(part) == part
    for field in dataclasses.fields(part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field.name, 3)


def assert_terms(terms: Terms) -> None:
    """Assert that terms are finite scalars, that the total has a gradient, and that the logged values have none."""
    assert isinstance(terms, Terms) and dataclasses.is_dataclass(terms)
    assert terms.total.shape == () and terms.total.dtype == torch.float32 and terms.total.requires_grad
    assert terms.named().keys() == {field.name for field in dataclasses.fields(terms)}
    for name, value in terms.named().items():
        assert value.shape == () and torch.isfinite(value) and not value.requires_grad, name


class _Seeded:
    @pytest.fixture(autouse=True)
    def _seed(self) -> None:
        torch.manual_seed(0)


class AdversarialContract(_Seeded):
    """Contract of an adversarial objective. Derive a class with a fixture ``objective``."""

    @pytest.fixture
    def objective(self) -> Adversarial:
        """Return the objective under test."""
        raise NotImplementedError("override the fixture `objective`")

    def test_is_a_frozen_value(self, objective: Adversarial) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(objective)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_terms_are_finite_float32_and_differentiable(self, objective: Adversarial, dtype: torch.dtype) -> None:
        """Terms are finite, in float32 and differentiable, for scores in single and in half precision."""
        real, fake = (torch.randn(n).to(dtype).requires_grad_() for n in _sizes(objective))
        critic, generator = objective.critic_terms(real, fake), objective.generator_terms(fake, _other(objective, real))
        assert_terms(critic)
        assert_terms(generator)
        for gradient in (*torch.autograd.grad(critic.total, (real, fake)), *torch.autograd.grad(generator.total, fake)):
            assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0

    def test_critic_separates_and_generator_follows(self, objective: Adversarial) -> None:
        """The critic's loss falls as real scores rise or generated ones fall; the generator's as the latter rise.

        The generator may learn from some of its examples only.
        """
        real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
        up, down = torch.autograd.grad(objective.critic_terms(real, fake + 0.5).total, (real, fake))
        (generator,) = torch.autograd.grad(objective.generator_terms(fake, _other(objective, real)).total, fake)
        assert (up < 0).all() and (down > 0).all() and (generator <= 0).all() and generator.sum() < 0

    def test_losses_are_means_over_the_batch(self, objective: Adversarial) -> None:
        """Repeating the batch does not change the terms."""
        real, fake = (torch.randn(n) for n in _sizes(objective))
        more, many = (3, 3) if objective.paired else (3, 7)
        one, repeated = objective.critic_terms(real, fake), objective.critic_terms(real.repeat(more), fake.repeat(many))
        torch.testing.assert_close(one.named(), repeated.named())
        whole = objective.generator_terms(fake.repeat(3), _other(objective, real.repeat(3))).total
        torch.testing.assert_close(objective.generator_terms(fake, _other(objective, real)).total, whole)

    def test_chance_is_the_loss_of_the_best_constant_score(self, objective: Adversarial) -> None:
        """``chance`` of a divergence is the smallest loss of a critic that gives all examples the same score."""
        if isinstance(objective, Divergence):
            scores = torch.linspace(-4, 4, 8001)
            losses = [float(objective.critic_terms(s.reshape(1), s.reshape(1)).total) for s in scores]
            assert objective.chance == pytest.approx(min(losses), rel=1e-5) and objective.chance > 0


def _sizes(objective: Adversarial) -> tuple[int, int]:
    """Choose numbers of real and of generated scores, which must be equal if the objective compares pairs."""
    return (5, 5) if objective.paired else (6, 4)


def _other(objective: Adversarial, real: Tensor) -> Tensor | None:
    """Return the real scores if the generator's loss reads them, else None."""
    return real if objective.paired else None


class AuxiliaryContract(_Seeded):
    """Contract of an auxiliary term. Derive a class with a fixture ``auxiliary``."""

    @pytest.fixture
    def auxiliary(self) -> Auxiliary:
        """Return the term under test."""
        raise NotImplementedError("override the fixture `auxiliary`")

    def test_is_a_frozen_value(self, auxiliary: Auxiliary) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(auxiliary)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_terms_are_finite_float32_and_reach_what_they_read(self, auxiliary: Auxiliary, dtype: torch.dtype) -> None:
        """Both terms are finite scalars in float32, and their gradients reach the outputs for generated examples."""
        real, fake = _judged(auxiliary, 6, dtype), _judged(auxiliary, 6, dtype)
        scene = Scene(real, fake, torch.arange(6) % 2, _latents(auxiliary, 6))
        for term in (auxiliary.critic_term(scene), auxiliary.generator_term(scene)):
            if term is not None:
                assert term.shape == () and term.dtype == torch.float32 and term.isfinite() and term.requires_grad
        generator = auxiliary.generator_term(scene)
        if generator is not None:
            read = fake.recognised if auxiliary.recognised else fake.features
            assert read is not None
            (gradient,) = torch.autograd.grad(generator, read)
            assert gradient.isfinite().all() and gradient.abs().sum() > 0

    def test_terms_are_means_over_the_batch(self, auxiliary: Auxiliary) -> None:
        """Repeating the batch does not change the terms."""
        real, fake = _judged(auxiliary, 6, torch.float32), _judged(auxiliary, 6, torch.float32)
        y, z = torch.arange(6) % 2, _latents(auxiliary, 6)
        one, more = Scene(real, fake, y, z), Scene(_twice(real), _twice(fake), y.repeat(2), z.repeat(2, 1))
        for term in (auxiliary.critic_term, auxiliary.generator_term):
            torch.testing.assert_close(term(one), term(more))


def _judged(auxiliary: Auxiliary, n: int, dtype: torch.dtype) -> Judged:
    """Draw what a critic could say of ``n`` examples to the term."""
    scores, features, recognised = (torch.randn(n, k).to(dtype) for k in (1, 5, auxiliary.recognised or 1))
    return Judged(scores.squeeze(1), features.requires_grad_(), recognised.requires_grad_())


def _latents(auxiliary: Auxiliary, n: int) -> Tensor:
    """Draw latents, whose last coordinates are one-hot, as categorical codes are."""
    codes = torch.zeros(n, auxiliary.recognised or 1)
    codes[:, 0] = 1
    return torch.cat([torch.randn(n, 62), codes], dim=1)


def _twice(judged: Judged) -> Judged:
    assert judged.features is not None and judged.recognised is not None
    features, recognised = judged.features.repeat(2, 1), judged.recognised.repeat(2, 1)
    return Judged(judged.scores.repeat(2), features, recognised)


class _PointCritic(nn.Module):
    def __init__(self, shape: tuple[int, ...], pack: int) -> None:
        super().__init__()
        self.shape, self.pack = shape, pack
        self.net = nn.Sequential(nn.Linear(pack * torch.Size(shape).numel(), 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x.reshape(len(x) // self.pack, -1)).squeeze(1)


class _ImageCritic(nn.Module):
    def __init__(self, shape: tuple[int, ...], pack: int) -> None:
        super().__init__()
        c, h, w = self.shape = shape
        self.packed = (-1, pack * c, h, w)
        self.net = nn.Sequential(nn.Conv2d(pack * c, 4, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten())
        self.head = nn.Linear(4 * (h // 2) * (w // 2), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.net(x.reshape(self.packed))).squeeze(1)


def make_critic(shape: tuple[int, ...], pack: int = 1) -> nn.Module:
    """Make a small critic that scores ``pack`` examples at a time."""
    return _PointCritic(shape, pack) if len(shape) == 1 else _ImageCritic(shape, pack)


class ConstraintContract(_Seeded):
    """Contract of a constraint on a critic. Derive a class with a fixture ``constraint``."""

    @pytest.fixture
    def constraint(self) -> Constraint:
        """Return the constraint under test."""
        raise NotImplementedError("override the fixture `constraint`")

    def test_is_a_frozen_value(self, constraint: Constraint) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(constraint)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("pack", [1, 2])
    @pytest.mark.parametrize("autocast", [False, True])
    def test_a_critics_step(self, constraint: Constraint, shape: tuple[int, ...], pack: int, autocast: bool) -> None:
        """Gradients are finite and reach the critic only; the penalty does not change the weights.

        A constraint that does not suit the shape of the critic's examples refuses the critic, and names the shape.
        """
        critic = make_critic(shape, pack)
        try:
            constraint.prepare(critic)
        except ValueError as refused:
            assert str(shape) in str(refused) and len(shape) != 3
            return
        real, fake = torch.randn(6, *shape), torch.randn(6, *shape, requires_grad=True)
        before = [p.detach().clone() for p in critic.parameters()]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            penalty = constraint.penalty(critic, real, fake)
            loss = critic(real).mean() if penalty is None else critic(real).mean() + penalty
        loss.backward()
        if penalty is not None:
            assert penalty.requires_grad
            assert penalty.shape == () and penalty.dtype == torch.float32 and torch.isfinite(penalty) and penalty >= 0
        assert all(torch.isfinite(p.grad).all() for p in critic.parameters() if p.grad is not None)
        assert fake.grad is None and real.grad is None
        assert all(torch.equal(p, b) for p, b in zip(critic.parameters(), before, strict=True))
        constraint.project(critic)
        assert all(torch.isfinite(p).all() for p in critic.parameters())

    def test_does_what_its_kinds_say(self, constraint: Constraint) -> None:
        """A constraint changes the parameters, adds a penalty or projects weights only if it is of that kind."""
        critic = make_critic((1, 8, 8))
        keys = [name for name, _ in critic.named_parameters()]
        constraint.prepare(critic)
        prepares = [name for name, _ in critic.named_parameters()] != keys
        penalises = constraint.penalty(critic, *torch.randn(2, 4, 1, 8, 8)) is not None
        before = [p.detach().clone() for p in critic.parameters()]
        constraint.project(critic)
        projects = any(not torch.equal(p, b) for p, b in zip(critic.parameters(), before, strict=True))
        bases = (Penalty, Projection, Reparametrisation)
        kinds = {base for part in constraint.flat() for base in bases if isinstance(part, base)}
        assert prepares + penalises + projects == len(kinds)
        assert isinstance(constraint.lipschitz, bool)

    def test_state_is_in_the_critic(self, constraint: Constraint) -> None:
        """A critic that is made anew from the state dict goes on with the same penalties, bit for bit."""
        critic, resumed = make_critic((1, 8, 8)), make_critic((1, 8, 8))
        constraint.prepare(critic)
        constraint.prepare(resumed)
        real, fake = torch.randn(2, 4, 6, 1, 8, 8)
        for update in range(3):
            constraint.penalty(critic, real[update], fake[update], update)
        resumed.load_state_dict(critic.state_dict())
        penalties = []
        for network in (critic, resumed):
            torch.manual_seed(1)
            penalties.append(constraint.penalty(network, real[3], fake[3], 16))
        assert penalties[0] == penalties[1]

    def test_shown_gradient_norms_are_those_of_the_penalty(self, constraint: Constraint) -> None:
        """The penalty is the weighted mean squared distance to the target of the norms from ``input_gradients``."""
        critic, (real, fake) = make_critic((1, 8, 8)), torch.rand(2, 16, 1, 8, 8)
        torch.manual_seed(1)
        shown = constraint.input_gradients(critic, real, fake)
        if shown is None:
            assert not hasattr(constraint, "target")
            return
        assert isinstance(constraint, Penalty)
        torch.manual_seed(1)
        excess = shown.norms - shown.target
        expected = constraint.weight * (excess.clamp(min=0) if shown.one_sided else excess).square().mean()
        penalty = constraint.penalty(critic, real, fake)
        assert penalty is not None and penalty.item() == pytest.approx(expected.item(), rel=1e-5)
        assert not shown.norms.requires_grad and shown.target == getattr(constraint, "target", shown.target)


class LikelihoodContract(_Seeded):
    """Contract of a likelihood. Derive a class with a fixture ``likelihood``."""

    @pytest.fixture
    def likelihood(self) -> Likelihood:
        """Return the likelihood under test."""
        raise NotImplementedError("override the fixture `likelihood`")

    def test_is_a_frozen_value(self, likelihood: Likelihood) -> None:
        """The part is a frozen dataclass, equals its copy, and names the space of its probabilities."""
        assert_value(likelihood)
        assert likelihood.space

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("k", [None, 3])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_log_densities(
        self, likelihood: Likelihood, shape: tuple[int, ...], k: int | None, dtype: torch.dtype
    ) -> None:
        """Each example and draw has one float32 number, with finite gradients to location and learned scale."""
        x = torch.rand(5, *shape).round() * 2 - 1
        location = torch.randn(*([] if k is None else [k]), 5, *shape).to(dtype).requires_grad_()
        start = torch.full((shape[0],), likelihood.initial_log_scale) if likelihood.learned_scale else None
        log_scale = None if start is None else start.requires_grad_()
        log_prob = likelihood.log_prob(x, location, log_scale)
        assert log_prob.shape == ((5,) if k is None else (k, 5))
        assert log_prob.dtype == torch.float32
        wanted = [location] if log_scale is None else [location, log_scale]
        for gradient in torch.autograd.grad(log_prob.sum(), wanted):
            assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
        assert likelihood.mean(location).shape == location.shape

    def test_an_example_does_not_depend_on_its_neighbours(self, likelihood: Likelihood) -> None:
        """The density of an example does not depend on the other examples of the batch."""
        x, location = torch.rand(6, 1, 4, 4) * 2 - 1, torch.randn(2, 6, 1, 4, 4)
        log_scale = torch.zeros(1) if likelihood.learned_scale else None
        whole = likelihood.log_prob(x, location, log_scale)
        alone = [likelihood.log_prob(x[[i]], location[:, [i]], log_scale) for i in range(6)]
        torch.testing.assert_close(whole, torch.cat(alone, dim=1))
        torch.testing.assert_close(whole[1], likelihood.log_prob(x, location[1], log_scale))

    def test_is_highest_where_its_mean_is_the_example(self, likelihood: Likelihood) -> None:
        """Among many locations, the one with the highest density has a mean equal to the example."""
        x = torch.full((1, 1, 4, 4), 0.6)
        candidates = torch.linspace(-3, 3, 121).reshape(-1, 1, 1, 1, 1).expand(-1, 1, 1, 4, 4)
        log_scale = torch.full((1,), -3.0) if likelihood.learned_scale else None
        best = candidates[likelihood.log_prob(x, candidates, log_scale).squeeze(1).argmax()]
        torch.testing.assert_close(likelihood.mean(best), x[0].expand_as(best), atol=0.05, rtol=0)


class BoundContract(_Seeded):
    """Contract of a bound on the evidence. Derive a class with a fixture ``bound``."""

    @pytest.fixture
    def bound(self) -> Bound:
        """Return the bound under test."""
        raise NotImplementedError("override the fixture `bound`")

    def test_is_a_frozen_value(self, bound: Bound) -> None:
        """The part is a frozen dataclass and equals its copy."""
        assert_value(bound)

    @pytest.mark.parametrize("k", [1, 4])
    def test_terms(self, bound: Bound, k: int) -> None:
        """Terms are finite, and ELBO, reconstruction and KL agree with the draws."""
        batch = _random_draws(k, 5)
        log_px_z, kl = batch.log_px_z, batch.divergence
        terms = bound(batch)
        assert_terms(terms)
        (gradient,) = torch.autograd.grad(terms.total, log_px_z)
        assert (gradient <= 0).all() and gradient.sum().item() == pytest.approx(-1)
        torch.testing.assert_close(terms.elbo, terms.reconstruction - terms.kl)
        torch.testing.assert_close(terms.elbo, log_px_z.mean() - kl.sum(1).mean())
        assert bound.samples >= 1

    def test_a_divergence_without_a_closed_form_is_estimated(self, bound: Bound) -> None:
        """The KL is the estimate from the draws, which may be negative, if it has no closed form."""
        draws = dataclasses.replace(_random_draws(4, 5), kl=None)
        terms = bound(draws)
        assert_terms(terms)
        estimate = (draws.log_qz_x - draws.log_pz).mean()
        torch.testing.assert_close(terms.kl, estimate)
        torch.testing.assert_close(terms.elbo, draws.log_px_z.mean() - estimate)

    def test_is_a_mean_over_images(self, bound: Bound) -> None:
        """Each reported term of a batch is the mean of that term over parts of equal size.

        The objective itself need not be: free bits act on the mean over the batch.
        """
        batch = _random_draws(4, 6)
        whole = bound(batch).named()
        a, b, c = batch.log_px_z, batch.log_pz, batch.log_qz_x
        pairs = [slice(i, i + 2) for i in (0, 2, 4)]
        cut = [_draws(a[:, pair], b[:, pair], c[:, pair], batch.divergence[pair]) for pair in pairs]
        parts = [bound(part).named() for part in cut]
        for name in whole.keys() - {"total"}:
            torch.testing.assert_close(whole[name], torch.stack([part[name] for part in parts]).mean(), msg=name)


def _random_draws(k: int, n: int, d: int = 3) -> Draws:
    log_px_z, log_pz, log_qz_x = (torch.randn(k, n).requires_grad_() for _ in range(3))
    kl = normal_kl(torch.randn(n, d), torch.rand(n, d) + 0.1).requires_grad_()
    return _draws(log_px_z, log_pz, log_qz_x, kl)


def _draws(log_px_z: Tensor, log_pz: Tensor, log_qz_x: Tensor, kl: Tensor) -> Draws:
    posterior = Independent(Normal(torch.zeros_like(kl), 1.0), 1)
    return Draws(log_px_z, log_pz, log_qz_x, kl, torch.zeros(len(log_px_z), *kl.shape), posterior, n_train=100)
