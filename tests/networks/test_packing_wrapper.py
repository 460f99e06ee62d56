"""Packs are consecutive examples side by side along the channels, and nothing else."""

import pytest
import torch
from torch import nn

from ganvas.networks import Packed
from ganvas.types import Critic


class Recorder(nn.Module):
    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        self.seen = x
        return x.flatten(1).sum(1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_images_are_regrouped_exactly(layout):
    x = torch.arange(6 * 2 * 3 * 4.0).reshape(6, 2, 3, 4).to(memory_format=layout)
    inner = Recorder(6, 3, 4)
    packed = Packed(inner, 3)
    assert packed.shape == (2, 3, 4) and isinstance(packed, Critic)
    scores = packed(x)
    expected = torch.stack([torch.cat([x[0], x[1], x[2]]), torch.cat([x[3], x[4], x[5]])])
    assert torch.equal(inner.seen, expected)
    assert torch.equal(scores, expected.flatten(1).sum(1))


def test_points_are_regrouped_exactly():
    x = torch.arange(8.0).reshape(4, 2)
    inner = Recorder(4)
    packed = Packed(inner, 2)
    packed(x)
    assert packed.shape == (2,)
    assert inner.seen.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_pack_of_one_is_the_critic():
    x = torch.randn(5, 1, 2, 2)
    assert torch.equal(Packed(Recorder(1, 2, 2), 1)(x), x.flatten(1).sum(1))


def test_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="a batch of 5 cannot be split into packs of 2. Fix"):
        Packed(Recorder(4), 2)(torch.zeros(5, 2))


@pytest.mark.parametrize("pack", [0, 4])
def test_critic_that_does_not_divide(pack):
    with pytest.raises(ValueError, match=f"`pack` is {pack}; expected a divisor of the critic's 6 channels. Fix"):
        Packed(Recorder(6, 3, 4), pack)
