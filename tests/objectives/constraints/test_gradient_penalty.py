"""Gradient penalty: linear critics in closed form, the points it is taken at, precision, packs."""

import pytest
import torch
from torch import nn

from ganvas.objectives import R1, Dragan, GradientPenalty
from ganvas.objectives.constraints.gradient_penalty import interpolate
from ganvas.objectives.constraints.input_gradients import input_gradients


class Linear(nn.Module):
    """D(x_1..x_m) = <w, (x_1..x_m)>: the gradient's norm is that of w everywhere."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x):
        return x.reshape(-1, self.w.numel()) @ self.w


@pytest.mark.parametrize("shape", [(2,), (3, 4, 4)])
@pytest.mark.parametrize(("norm", "target"), [(0.3, 1.0), (3.0, 1.0), (3.0, 2.0)])
@pytest.mark.parametrize("one_sided", [False, True])
def test_linear_critic(shape, norm, target, one_sided):
    w = torch.randn(torch.Size(shape).numel())
    critic = Linear(norm * w / w.norm())
    real, fake = torch.randn(5, *shape), torch.randn(5, *shape)
    excess = max(0, norm - target) if one_sided else norm - target
    penalty = GradientPenalty(10.0, target, one_sided, every=1).penalty(critic, real, fake)
    assert penalty.item() == pytest.approx(10 * excess**2, rel=1e-4)


def test_gradient_with_respect_to_the_critic_by_hand():
    w = torch.tensor([3.0, 4.0])
    critic = Linear(w)
    GradientPenalty(10.0, 1.0, one_sided=False, every=1).penalty(
        critic, torch.randn(4, 2), torch.randn(4, 2)
    ).backward()
    torch.testing.assert_close(critic.w.grad, 10 * 2 * (5 - 1) * w / 5)


def test_constant_critic_has_a_finite_gradient():
    critic = Linear(torch.zeros(2))
    GradientPenalty(1.0, 1.0, one_sided=False, every=1).penalty(critic, torch.randn(4, 2), torch.randn(4, 2)).backward()
    assert torch.isfinite(critic.w.grad).all()


def test_points_lie_on_the_lines_uniformly_one_position_an_example():
    torch.manual_seed(0)
    real, fake = torch.randn(2000, 1, 2, 2), torch.randn(2000, 1, 2, 2)
    position = ((interpolate(real, fake) - real) / (fake - real)).flatten(1).double()
    middle = position.median(dim=1).values
    assert (position - middle[:, None]).abs().median() < 1e-5
    assert 0 <= middle.min() and middle.max() <= 1
    assert middle.mean().item() == pytest.approx(1 / 2, abs=0.03)
    assert middle.var().item() == pytest.approx(1 / 12, abs=0.01)


def test_penalty_is_taken_at_those_points():
    seen = []

    def half_square(x):
        seen.append(x.detach())
        return x.square().flatten(1).sum(1) / 2  # the gradient at x is x

    penalty = GradientPenalty(2.0, 1.0, one_sided=False, every=1).penalty(
        half_square, torch.randn(9, 2), torch.randn(9, 2)
    )
    torch.testing.assert_close(penalty, 2 * (seen[0].norm(dim=1) - 1).square().mean())


def test_packs_of_consecutive_examples_have_one_norm():
    w = torch.randn(6)
    x = torch.randn(8, 3)
    gradients = input_gradients(Linear(w), x)
    torch.testing.assert_close(gradients, w.expand(4, 6))
    penalty = GradientPenalty(1.0, 1.0, one_sided=False, every=1).penalty(Linear(w), x, torch.randn(8, 3))
    assert penalty.item() == pytest.approx((w.norm().item() - 1) ** 2, rel=1e-4)


def test_generator_gets_no_gradient():
    fake = torch.randn(4, 2, requires_grad=True)
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    GradientPenalty(10.0, 1.0, one_sided=False, every=1).penalty(critic, torch.randn(4, 2), fake).backward()
    assert fake.grad is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "constraint", [GradientPenalty(10.0, 1.0, False, every=1), R1(10.0, every=1), Dragan(10.0, 1.0, 0.5, every=1)]
)
def test_autocast_changes_neither_type_nor_value(constraint, dtype):
    critic = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    real, fake = torch.randn(16, 2), torch.randn(16, 2)
    torch.manual_seed(1)
    exact = constraint.penalty(critic, real, fake)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=dtype):
        mixed = constraint.penalty(critic, real, fake)
        assert torch.is_autocast_enabled("cpu")
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, exact)


@pytest.mark.parametrize(("weight", "target", "name"), [(0.0, 1.0, "weight"), (1.0, 0.0, "target")])
def test_bad_values_are_refused(weight, target, name):
    with pytest.raises(ValueError, match=f"^{name}: got 0.0, expected a positive"):
        GradientPenalty(weight, target, one_sided=False, every=1)
