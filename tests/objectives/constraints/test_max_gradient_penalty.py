"""Max-gradient penalty of a quadratic critic, whose gradient at x is x."""

import pytest
import torch

from ganvas.objectives import MaxGradientPenalty


def half_square(x):
    return x.square().flatten(1).sum(1) / 2


def test_largest_squared_norm_of_the_points_between():
    real = torch.randn(9, 2)
    # With generated examples equal to the real ones, the points are these.
    penalty = MaxGradientPenalty(3.0, every=1).penalty(half_square, real, real.clone())
    assert penalty.item() == pytest.approx(3 * real.square().sum(1).max().item(), rel=1e-5)


def test_points_lie_between_both_kinds():
    real, fake = torch.full((2000, 1), 1.0), torch.full((2000, 1), 3.0)
    found = MaxGradientPenalty(1.0, every=1).penalty(half_square, real, fake).item()
    assert 2.9**2 < found <= 9.0


def test_only_the_steepest_example_has_a_gradient():
    scale = torch.ones(3, requires_grad=True)
    x = torch.tensor([[1.0], [4.0], [2.0]])
    MaxGradientPenalty(1.0, every=1).penalty(lambda x: scale * half_square(x), x, x.clone()).backward()
    assert scale.grad.tolist() == [0.0, 32.0, 0.0]  # d/ds (4 s)^2
