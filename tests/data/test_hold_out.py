"""Held-out splits: exhaustive, disjoint, stratified, and the same for ever."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganvas.data.hold_out import hold_out
from ganvas.data.source import DataError


@given(labels=st.lists(st.integers(0, 4), min_size=2, max_size=80), fraction=st.floats(0, 1, exclude_max=True))
def test_partition_with_proportional_classes(labels, fraction):
    labels = torch.tensor(labels)
    held = int(fraction * len(labels))
    kept, out = hold_out(len(labels), held, labels, argument="val")
    assert torch.cat([kept, out]).sort().values.equal(torch.arange(len(labels)))
    assert len(out) == held
    share = torch.bincount(labels, minlength=5) * (held / len(labels))
    assert ((torch.bincount(labels[out], minlength=5) - share).abs() < 1).all()


def test_the_choice_is_pinned():
    assert hold_out(10, 3, None, argument="val")[1].tolist() == PINNED
    np.random.seed(1)
    torch.manual_seed(1)
    assert hold_out(10, 3, None, argument="val")[1].tolist() == PINNED


@pytest.mark.parametrize("held", [-1, 10, 11])
def test_out_of_range_names_the_key(held):
    with pytest.raises(DataError, match=f"test={held}: .* 10 examples"):
        hold_out(10, held, None, argument="test")


PINNED = [0, 1, 9]
