"""The sliced Wasserstein distance against an optimal assignment on each line, and for a shift in closed form."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from ganvas.latents.sliced import random_directions, sliced_wasserstein


def test_each_slice_is_an_optimal_assignment():
    torch.manual_seed(0)
    a, b = torch.randn(7, 3).double(), 2 * torch.randn(7, 3).double() + 1
    directions = random_directions(5, a)
    slices = []
    for direction in directions:
        cost = ((a @ direction)[:, None] - (b @ direction)[None]).square()
        rows, columns = linear_sum_assignment(cost.numpy())
        slices.append(cost[rows, columns].mean())
    torch.testing.assert_close(sliced_wasserstein(a, b, directions), torch.stack(slices).mean())


def test_of_a_shift_it_is_the_mean_squared_length_of_its_shadow():
    torch.manual_seed(0)
    a, shift = torch.randn(50, 4), torch.tensor([1.0, -2.0, 0.5, 0.0])
    found = sliced_wasserstein(a, (a + shift)[torch.randperm(50)], random_directions(20_000, a))
    assert found.item() == pytest.approx(float(shift.square().sum()) / 4, rel=0.03)


def test_directions_are_unit_vectors_without_a_preferred_side():
    torch.manual_seed(0)
    directions = random_directions(20_000, torch.zeros(1, 3))
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(20_000))
    assert directions.mean(0).abs().max() < 0.02
    torch.testing.assert_close(directions.T @ directions / 20_000, torch.eye(3) / 3, atol=0.01, rtol=0)
