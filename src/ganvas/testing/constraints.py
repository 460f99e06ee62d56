"""Contract of a constraint on a critic."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganvas.objectives import (
    Constraint,
    Penalty,
    Projection,
    Reparametrisation,
)
from ganvas.testing.values import SHAPES, Seeded, assert_value


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


class ConstraintContract(Seeded):
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
