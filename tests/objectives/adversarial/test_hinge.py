"""Hinge: the margin, and the total variation distance at the optimum."""

import pytest
import torch

from ganvas.objectives import Hinge

REAL, FAKE = torch.tensor([8, 6, 4, 2]), torch.tensor([2, 2, 6, 10])


def test_zero_scores_cost_two():
    assert Hinge().critic_terms(torch.zeros(3), torch.zeros(4)).total == 2


def test_scores_beyond_the_margin_cost_nothing():
    real, fake = torch.tensor([1.0, 5.0], requires_grad=True), torch.tensor([-1.0, -7.0], requires_grad=True)
    terms = Hinge().critic_terms(real, fake)
    assert terms.total == 0
    assert all(g.abs().sum() == 0 for g in torch.autograd.grad(terms.total, (real, fake)))


def test_optimum_is_total_variation():
    p, q = REAL.double() / 20, FAKE.double() / 20
    best = torch.sign(p - q)
    total = Hinge().critic_terms(best.repeat_interleave(REAL), best.repeat_interleave(FAKE)).total
    torch.testing.assert_close(total, 2 - (p - q).abs().sum())  # 2 - 2 TV, TV half the L1 distance


def test_generator_raises_the_score():
    s = torch.tensor([-3.0, 4.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(Hinge().generator_terms(s).total, s)
    assert gradient.tolist() == pytest.approx([-0.5, -0.5])
