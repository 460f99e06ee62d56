"""Distributions over codes: frequencies that were seen, and ancestral sampling written by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.latents import Autoregressive, CodeFrequencies
from ganvas.latents.codebooks import autoregressive


class Table(nn.Module):
    """Logits that depend on the sum of all earlier codes of a 2 x 2 grid, read from a table."""

    def __init__(self, codes=3, depth=2):
        super().__init__()
        self.codes, self.depth = codes, depth
        self.table = nn.Parameter(2 * torch.randn(depth, 3, 2, 40, codes, generator=torch.Generator().manual_seed(0)))

    def forward(self, codes):
        n, depth, height, width = codes.shape
        order = codes.permute(0, 2, 3, 1).flatten(1)
        before = (order.cumsum(1) - order).view(n, height, width, depth).permute(0, 3, 1, 2)
        place = torch.meshgrid(*(torch.arange(k) for k in (depth, height, width)), indexing="ij")
        return self.table[place[0], place[1], place[2], before]


def test_frequencies_are_the_average_of_those_of_the_batches():
    prior = CodeFrequencies(codes=3, depth=1, height=1, width=2, decay=0.25)
    prior.observe(torch.tensor([[[[0, 1]]], [[[0, 2]]]]))
    prior.observe(torch.tensor([[[[0, 0]]]]))
    # A sixteenth of the uniform start, 3/16 of the first batch, in which each code is a half, and 3/4 of the second.
    rest, half = 1 / 48, 3 / 32
    expected = torch.tensor([[rest + 0.75 + 2 * half, rest, rest], [rest + 0.75, rest + half, rest + half]])
    torch.testing.assert_close(prior.frequencies[0, 0], expected)
    torch.testing.assert_close(prior.log_prob(torch.tensor([[[[0, 1]]]])), expected[0, :1].log() + expected[1, 1].log())
    with pytest.raises(ValueError, match="frequency_decay=1.0: expected a share"):
        CodeFrequencies(3, 1, 1, 2, decay=1.0)


@pytest.mark.parametrize("chunk", [500, 3])
def test_draws_are_ancestral_samples(monkeypatch, chunk):
    """Code by code, from the distribution given those before it, by the same uniform numbers."""
    monkeypatch.setattr(autoregressive, "CHUNK", chunk)
    network = Table()
    drawn = Autoregressive(network, 2, 2).sample(7, generator=torch.Generator().manual_seed(4))
    numbers = torch.rand(7, 2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    for grid, uniform in zip(drawn, numbers, strict=True):
        seen = 0
        for row in range(2):
            for column in range(2):
                for level in range(2):
                    weights = network.table[level, row, column, seen].double().exp()
                    code, total = 0, weights[0] / weights.sum()
                    while total <= uniform[level, row, column]:
                        code += 1
                        total = total + weights[code] / weights.sum()
                    assert int(grid[level, row, column]) == code
                    seen += code


def test_the_probability_is_the_product_of_the_conditional_ones():
    network = Table()
    codes = torch.tensor([[[[0, 2], [1, 1]], [[2, 0], [0, 1]]]])
    order, seen, total = (
        [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0), (1, 1, 0), (0, 1, 1), (1, 1, 1)],
        0,
        0.0,
    )
    for level, row, column in order:
        code = int(codes[0, level, row, column])
        total += float(network.table[level, row, column, seen].detach().log_softmax(0)[code])
        seen += code
    assert Autoregressive(network, 2, 2).log_prob(codes).item() == pytest.approx(total, rel=1e-5)


def test_a_rounding_error_makes_no_code_too_many():
    """The distribution function may end just below 1; a uniform number beyond its end is the last code."""

    class Certain(nn.Module):
        codes, depth = 4, 1

        def __init__(self):
            super().__init__()
            self.idle = nn.Parameter(torch.zeros(1))

        def forward(self, codes):
            return torch.tensor([0.0, 1.0, 2.0, 3.0]).expand(*codes.shape, 4)

    prior = Autoregressive(Certain(), 1, 1)
    assert int(prior._drawn(torch.ones(1, 1, 1, 1, dtype=torch.float64))) == 3
