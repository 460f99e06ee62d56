"""Sums of constraints, R2, and lazy penalties, against closed forms of a quadratic critic."""

import pytest
import torch
from torch import nn

from ganvas.objectives import R1, R2, SpectralNorm, Sum, WeightClipping


def half_square(x):
    return x.square().flatten(1).sum(1) / 2  # its gradient at x is x


REAL, FAKE = torch.full((4, 3), 2.0), torch.full((4, 3), -1.0)


def test_r2_is_r1_at_the_generated_examples():
    assert R2(6.0, every=1).penalty(half_square, REAL, FAKE).item() == pytest.approx(6 / 2 * 3)
    assert R1(6.0, every=1).penalty(half_square, REAL, FAKE).item() == pytest.approx(6 / 2 * 12)


def test_a_sum_adds_its_parts_each_with_its_own_weight():
    both = Sum({"r1": R1(1.0, every=1), "r2": R2(10.0, every=1)})
    assert both.penalty(half_square, REAL, FAKE).item() == pytest.approx(1 / 2 * 12 + 10 / 2 * 3)


def test_lazy_penalties_come_every_so_often_with_so_much_more_weight():
    lazy = R1(1.0, every=4)
    found = [lazy.penalty(half_square, REAL, FAKE, update) for update in range(8)]
    assert [term is None for term in found] == [False, True, True, True] * 2
    assert float(found[0]) == float(found[4]) == pytest.approx(4 * 6)
    both = Sum({"r1": lazy, "r2": R2(1.0, every=2)})
    values = [both.penalty(half_square, REAL, FAKE, update) for update in range(4)]
    assert [None if v is None else float(v) for v in values] == [24 + 3, None, 3, None]


def test_a_sum_prepares_and_projects_what_its_parts_do():
    critic = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1), nn.Flatten(0))
    both = Sum({"spectral_norm": SpectralNorm(1), "r1": R1(1.0, every=1)})
    both.prepare(critic)
    assert "0.parametrizations.weight.original" in critic.state_dict() and both.lipschitz
    assert both.penalty(critic, REAL, FAKE) > 0 and not Sum({"r1": R1(1.0, every=1)}).lipschitz
    plain = nn.Linear(3, 1)
    Sum({"clip": WeightClipping(0.01), "r1": R1(1.0, every=1)}).project(plain)
    assert max(float(p.detach().abs().max()) for p in plain.parameters()) <= 0.01


def test_no_parts_ask_nothing():
    assert Sum({}).penalty(half_square, REAL, FAKE) is None and Sum({}).input_gradients(half_square, REAL, FAKE) is None


@pytest.mark.parametrize("every", [0, -1])
def test_a_period_below_one_is_refused(every):
    with pytest.raises(ValueError, match=f"^every: got {every}"):
        R1(1.0, every=every)
