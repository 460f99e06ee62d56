"""Weight clipping: the box, in place."""

import pytest
import torch
from torch import nn

from ganvas.objectives import WeightClipping


def test_every_parameter_is_in_the_box_and_those_inside_are_untouched():
    critic = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 1))
    before = {name: p.detach().clone() for name, p in critic.named_parameters()}
    addresses = [p.data_ptr() for p in critic.parameters()]
    WeightClipping(0.1).project(critic)
    for name, p in critic.named_parameters():
        torch.testing.assert_close(p.detach(), torch.from_numpy(before[name].numpy().clip(-0.1, 0.1)))
    assert any((p.abs() == 0.1).any() and (p.abs() < 0.1).any() for p in critic.parameters())
    assert addresses == [p.data_ptr() for p in critic.parameters()]


def test_empty_box_is_refused():
    with pytest.raises(ValueError, match="bound: got 0.0.*0.01"):
        WeightClipping(0.0)
