"""Findings on codebooks: their values in closed form, and that the weakest level is judged."""

import pytest
import torch

from ganvas.health.codes import code_perplexity, used_codes


def test_the_value_is_that_of_the_weakest_level():
    counts = torch.tensor([[5, 5, 5, 5], [4, 4, 0, 0]])
    used, evenness = used_codes(counts), code_perplexity(counts)
    assert (used.name, used.value, used.state) == ("used_codes", 2.0, "ok")
    assert evenness.value == pytest.approx(2.0) and "weakest of 2 levels" in evenness.reason


def test_a_collapsed_codebook_warns_with_advice():
    counts = torch.zeros(1, 512, dtype=torch.int64)
    counts[0, :9] = 100
    for finding, value in ((used_codes(counts), 9.0), (code_perplexity(counts), 9.0)):
        assert finding.state == "warn" and finding.value == pytest.approx(value)
        assert "quantiser.restart" in finding.reason
    counts[0, :11] = 100
    assert code_perplexity(counts).state == "ok"  # 11 of 512 is more than a fiftieth


def test_without_codes_there_is_no_finding():
    for check in (used_codes, code_perplexity):
        with pytest.raises(ValueError, match="counts: expected at least one value"):
            check(torch.zeros(1, 4, dtype=torch.int64))
