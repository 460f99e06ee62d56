"""Perplexity and used codes against their closed forms."""

import pytest
import torch
from scipy.stats import entropy

from ganvas.latents.codebooks.usage import code_counts, perplexity, used_codes


def test_extremes_and_a_distribution_in_between():
    counts = torch.tensor([[7, 0, 0, 0], [5, 5, 5, 5], [1, 2, 3, 0]])
    expected = [1.0, 4.0, float(torch.tensor(entropy([1, 2, 3])).exp())]
    assert perplexity(counts).tolist() == pytest.approx(expected)
    assert used_codes(counts).tolist() == [1, 4, 3]


def test_codes_are_counted_by_level():
    codes = torch.tensor([[[[0, 1], [1, 1]], [[2, 2], [2, 0]]], [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]])
    assert code_counts(codes, 4).tolist() == [[5, 3, 0, 0], [1, 4, 3, 0]]
