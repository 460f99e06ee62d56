"""Contracts of adversarial losses and of auxiliary terms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.objectives import (
    Adversarial,
    Auxiliary,
    Divergence,
    Scene,
)
from ganvas.testing.values import Seeded, assert_terms, assert_value
from ganvas.types import Judged


class AdversarialContract(Seeded):
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
            best = 0.0
            for reach in (4.0, 0.1):  # coarse, then fine around the best one
                scores = best + torch.linspace(-reach, reach, 161)
                losses = [float(objective.critic_terms(s.reshape(1), s.reshape(1)).total) for s in scores]
                best = float(scores[int(torch.tensor(losses).argmin())])
            assert objective.chance == pytest.approx(min(losses), rel=1e-5) and objective.chance > 0


def _sizes(objective: Adversarial) -> tuple[int, int]:
    """Choose numbers of real and of generated scores, which must be equal if the objective compares pairs."""
    return (5, 5) if objective.paired else (6, 4)


def _other(objective: Adversarial, real: Tensor) -> Tensor | None:
    """Return the real scores if the generator's loss reads them, else None."""
    return real if objective.paired else None


class AuxiliaryContract(Seeded):
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
