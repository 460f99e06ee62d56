"""Noise and codes against torch's distributions."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, Uniform

from ganvas.latents import Codes


def test_the_parts_of_a_draw_are_what_they_are_called():
    z = Codes(dim=10, categorical=[4, 2], continuous=1).sample(4000, generator=torch.Generator().manual_seed(0))
    noise, first, second, value = z.split([3, 4, 2, 1], dim=1)
    assert noise.mean(0).abs().max() < 0.08 and (noise.var(0) - 1).abs().max() < 0.1
    for code, values in ((first, 4), (second, 2)):
        assert torch.equal(code.sum(1), torch.ones(4000)) and set(code.unique().tolist()) == {0.0, 1.0}
        assert (code.mean(0) - 1 / values).abs().max() < 4 * math.sqrt(0.25 / 4000)
    assert value.abs().max() <= 1 and value.var().item() == pytest.approx(1 / 3, rel=0.05)


def test_the_density_is_a_product_and_nothing_else_is_ever_drawn():
    codes = Codes(dim=8, categorical=[3], continuous=2)
    z = codes.sample(5)
    expected = Independent(Normal(torch.zeros(3), 1.0), 1).log_prob(z[:, :3]) - math.log(3)
    expected += Independent(Uniform(-torch.ones(2), 1.0), 1).log_prob(z[:, 6:])
    torch.testing.assert_close(codes.log_prob(z), expected)
    for column, value in ((3, 0.5), (7, 1.5)):
        other = z.clone()
        other[:, column] = value
        assert (codes.log_prob(other) == -math.inf).all()


def test_numbers_that_do_not_fit_are_refused():
    for dim, categorical, continuous in ((3, [4], 0), (3, [1], 0), (3, [], 0), (3, [2], -1)):
        with pytest.raises(ValueError, match=f"prior: got dim={dim}, "):
            Codes(dim, categorical, continuous)
