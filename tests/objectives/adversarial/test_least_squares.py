"""LSGAN: the optimal discriminator in closed form, and the Pearson divergence at its labels."""

import pytest
import torch

from ganvas.objectives import LeastSquares

REAL, FAKE = torch.tensor([8, 6, 4, 2]), torch.tensor([2, 2, 6, 10])
P, Q = REAL.double() / 20, FAKE.double() / 20


def scores(values):
    return values.repeat_interleave(REAL), values.repeat_interleave(FAKE)


def test_the_papers_halves():
    loss = LeastSquares(a=0.0, b=1.0, c=1.0)
    assert loss.critic_terms(torch.tensor([3.0]), torch.tensor([2.0])).total == pytest.approx(0.5 * 4 + 0.5 * 4)
    assert loss.generator_terms(torch.tensor([3.0])).total == pytest.approx(0.5 * 4)


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (-1.0, 1.0)])
def test_gradient_vanishes_at_the_optimal_discriminator(a, b):
    best = ((b * P + a * Q) / (P + Q)).requires_grad_()  # Mao et al. 2017, eq. 5
    total = LeastSquares(a, b, c=0.0).critic_terms(*scores(best)).total
    (gradient,) = torch.autograd.grad(total, best)
    torch.testing.assert_close(gradient, torch.zeros(4, dtype=torch.float64))


def test_pearson_divergence_at_the_optimum():
    loss = LeastSquares(a=-1.0, b=1.0, c=0.0)
    real, fake = scores((P - Q) / (P + Q))
    both = 2 * (loss.generator_terms(real).total + loss.generator_terms(fake).total)
    pearson = ((2 * Q - (P + Q)).square() / (P + Q)).sum()
    torch.testing.assert_close(both, pearson)


def test_equal_labels_are_refused():
    with pytest.raises(ValueError, match="a: got 1.0.*Set a: 0"):
        LeastSquares(a=1.0, b=1.0, c=1.0)
