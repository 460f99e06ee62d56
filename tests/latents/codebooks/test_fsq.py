"""FSQ against the numbers of its paper."""

from __future__ import annotations

import pytest
import torch

from ganvas.latents import FSQ

# Mentzer et al. 2023, table 1: recommended levels, and the size of the codebook that they approximate.
TABLE = {
    2**8: [8, 6, 5],
    2**10: [8, 5, 5, 5],
    2**12: [7, 5, 5, 5, 5],
    2**14: [8, 8, 8, 6, 5],
    2**16: [8, 8, 8, 5, 5, 5],
}


@pytest.mark.parametrize(("size", "levels"), TABLE.items())
def test_the_recommended_levels_make_about_the_stated_number_of_codes(size, levels):
    quantiser = FSQ(levels)
    assert 0.9 < quantiser.codes / size < 1.07 and quantiser.dim == len(levels) and quantiser.depth == 1


@pytest.mark.parametrize(
    ("level", "values"), [(2, [-1, 0]), (3, [-1, 0, 1]), (4, [-2, -1, 0, 1]), (5, [-2, -1, 0, 1, 2])]
)
def test_a_coordinate_takes_all_its_levels_and_no_others(level, values):
    quantiser = FSQ([level])
    z = torch.linspace(-40, 40, 4001).view(-1, 1, 1, 1)
    said = quantiser(z)
    assert (said.z.unique() * (level // 2)).tolist() == values
    assert said.codes.unique().tolist() == list(range(level))
    assert (said.codes.flatten().diff() >= 0).all()


def test_bounds_are_those_of_the_authors_program():
    """half_l = (L - 1)(1 - eps) / 2, shift = tan(offset / half_l), as their appendix has it."""
    quantiser = FSQ([4, 5])
    z = torch.tensor([0.3, -0.7]).view(1, 2, 1, 1)
    half_even, half_odd = 3 * 0.999 / 2, 4 * 0.999 / 2
    even = torch.tanh(torch.tensor(0.3) + torch.tan(torch.tensor(0.5 / half_even))) * half_even - 0.5
    odd = torch.tanh(torch.tensor(-0.7)) * half_odd
    torch.testing.assert_close(quantiser.bound(z).flatten(), torch.stack([even, odd]))
    assert quantiser.bound(torch.zeros(1, 2, 1, 1)).abs().max() < 1e-3  # 0 stays 0


def test_codes_are_the_digits_of_the_vectors_and_every_code_has_its_own():
    quantiser = FSQ([3, 4, 2])
    codes = torch.arange(24).view(1, 1, 4, 6)
    vectors = quantiser.embed(codes)
    assert len({tuple(v) for v in vectors.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}) == 24
    # 17 = 2 + 3 (1 + 4 * 1): digits 2, 1, 1, of which half the levels are taken away.
    assert quantiser.embed(torch.full((1, 1, 1, 1), 17)).flatten().tolist() == [1.0, -0.5, 0.0]
    z = torch.atanh((vectors * torch.tensor([1.0, 2, 1])[:, None, None] + quantiser.offset) / quantiser.height * 0.999)
    assert torch.equal(quantiser(z - quantiser.shift).codes, codes)


def test_the_gradient_is_that_of_the_bound():
    quantiser = FSQ([5, 8])
    z = torch.randn(3, 2, 2, 2).requires_grad_()
    weight = torch.randn(3, 2, 2, 2)
    (gradient,) = torch.autograd.grad((quantiser(z).z * weight).sum(), z)
    (expected,) = torch.autograd.grad(
        (quantiser.bound(z) / torch.tensor([2.0, 4.0]).view(1, 2, 1, 1) * weight).sum(), z
    )
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("levels", [[], [5, 1]])
def test_coordinates_without_levels_are_refused(levels):
    with pytest.raises(ValueError, match=r"expected at least 2 for each coordinate. Fix: write quantiser.levels="):
        FSQ(levels)
