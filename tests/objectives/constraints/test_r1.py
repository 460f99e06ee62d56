"""R1 on a quadratic discriminator, in closed form."""

import pytest
import torch

from ganvas.objectives import R1


def test_quadratic_discriminator():
    a = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    real = torch.randn(50, 2)

    def quadratic(x):
        return torch.einsum("ni,ij,nj->n", x, a, x) / 2  # the gradient at x is A x

    expected = 10 / 2 * (real @ a).square().sum(1).mean()
    torch.testing.assert_close(R1(10.0, every=1).penalty(quadratic, real, torch.randn(50, 2)), expected)


def test_fakes_are_not_read():
    critic = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1), torch.nn.Flatten(0))
    real = torch.randn(5, 2)
    one = R1(1.0, every=1).penalty(critic, real, torch.randn(5, 2))
    assert torch.equal(one, R1(1.0, every=1).penalty(critic, real, torch.full((5, 2), torch.nan)))


def test_no_weight_is_refused():
    with pytest.raises(ValueError, match="weight: got -1.0.*constraint=none"):
        R1(-1.0, every=1)
