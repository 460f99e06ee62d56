"""Bits of codes from nats that are known, and a length that is infinite."""

import math
from unittest.mock import Mock

import pytest
import torch

from ganvas.metrics.base import Material
from ganvas.metrics.code_bits import METRIC


def material(*nats):
    model = Mock(code_nats=lambda batch: batch, coding=lambda: "abc")
    batches = [torch.tensor(part) for part in nats]
    facts = {"shape": (1, 2, 2), "split": "test", "coded_model": lambda metric: model}
    calls = {"held_out": lambda n, size: iter(batches), "transform": lambda: {"name": "none"}}
    return Mock(spec=Material, **facts, **calls)


def test_nats_of_an_example_become_bits_of_a_coordinate():
    """Four coordinates and ln 2 nats for each bit: 4, 8 and 12 bits are 1, 2 and 3 each."""
    measured = METRIC.compute(material([4 * math.log(2), 8 * math.log(2)], [12 * math.log(2)]))
    score = measured.scores["bits_per_dimension"]
    assert score.value == pytest.approx(2) and score.sd == pytest.approx(1 / math.sqrt(3))
    assert measured.conditions == {"n": 3, "transform": {"name": "none"}, "coding": "abc"}


def test_a_code_that_cannot_be_is_counted_and_refused():
    with pytest.raises(ValueError, match="1 of 3 held-out examples have a code that its place never had"):
        METRIC.compute(material([1.0, math.inf], [2.0]))
