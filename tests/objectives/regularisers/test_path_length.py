"""Path lengths of linear generators in closed form, their running mean, and styles."""

import math

import pytest
import torch
from torch import nn

from ganvas.objectives import PathLength
from ganvas.objectives.regularisers.path_length import path_lengths


class Linear(nn.Module):
    """G(z) = A z, as an image of the shape."""

    def __init__(self, a, shape):
        super().__init__()
        self.a, self.shape, self.latent_dim = nn.Parameter(a), shape, a.shape[1]

    def forward(self, z):
        return (z @ self.a.T).unflatten(1, self.shape)


class Styled(Linear):
    """The same of styles w = 2 z, one for each of two layers, which are added."""

    styles = 2

    def mean_style(self):
        return torch.zeros(2)

    def style(self, z, y=None):
        return torch.stack([2 * z, 2 * z], 1)

    def synthesise(self, w):
        return super().forward(w.sum(1))


@pytest.mark.parametrize("shape", [(6,), (3, 1, 2), (1, 2, 3)])
def test_lengths_of_a_linear_generator(shape):
    a = torch.randn(6, 2, dtype=torch.float64)
    z = torch.randn(5, 2, dtype=torch.float64)
    torch.manual_seed(3)
    found = path_lengths(Linear(a, shape), z, None)
    torch.manual_seed(3)
    noise = torch.randn(5, 6, dtype=torch.float64).view(5, *shape) / math.sqrt(math.prod(shape[1:]))
    torch.testing.assert_close(found, torch.linalg.vector_norm(noise.flatten(1) @ a, dim=1))


def test_mean_squared_length_is_the_squared_norm_of_the_jacobian_over_the_pixels():
    a = torch.randn(12, 2, dtype=torch.float64)
    lengths = path_lengths(Linear(a, (3, 2, 2)), torch.zeros(20000, 2, dtype=torch.float64), None)
    assert lengths.square().mean().item() == pytest.approx(a.square().sum().item() / 4, rel=0.03)


def test_lengths_of_styles_are_means_over_layers():
    a = torch.randn(6, 2, dtype=torch.float64)
    z = torch.randn(4, 2, dtype=torch.float64)
    lengths = []
    for generator in (Linear(a, (1, 2, 3)), Styled(a, (1, 2, 3))):
        torch.manual_seed(3)
        lengths.append(path_lengths(generator, z, None))
    # With respect to each of the two styles the Jacobian is A, and the mapping 2 z does not count.
    torch.testing.assert_close(lengths[0], lengths[1])


def test_running_mean_and_penalty_over_three_updates():
    part = PathLength(2.0, 0.25, every=1)
    generator, z = Linear(torch.randn(6, 2), (1, 2, 3)), torch.randn(3, 8, 2)
    part.prepare(generator)
    mean = 0.0
    for batch in z:
        state = torch.get_rng_state()
        lengths = path_lengths(generator, batch[:4], None).detach()
        torch.set_rng_state(state)
        term = part.penalty(generator, batch, None, 0)
        mean += 0.25 * (lengths.mean().item() - mean)
        assert generator.path_length_mean.item() == pytest.approx(mean, rel=1e-5)
        assert term.item() == pytest.approx(2 * (lengths - mean).square().mean().item(), rel=1e-4)


def test_gradient_leaves_the_running_mean_alone():
    part = PathLength(1.0, 0.5, every=1)
    generator, z = Linear(torch.randn(6, 2), (1, 2, 3)), torch.randn(8, 2)
    part.prepare(generator)
    state = torch.get_rng_state()
    part.penalty(generator, z, None, 0).backward()
    torch.set_rng_state(state)
    lengths, mean = path_lengths(generator, z[:4], None), generator.path_length_mean.detach()
    (expected,) = torch.autograd.grad((lengths - mean).square().mean(), generator.a)
    torch.testing.assert_close(generator.a.grad, expected)


def test_frozen_styles_are_measured_too():
    generator = Styled(torch.randn(6, 2), (1, 2, 3))
    assert path_lengths(generator, torch.randn(3, 2), None).requires_grad


@pytest.mark.parametrize(("field", "value"), [("weight", 0.0), ("decay", 0.0), ("every", 0)])
def test_numbers_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field}: got {value}, expected"):
        PathLength(**({"weight": 2.0, "decay": 0.01, "every": 4} | {field: value}))
