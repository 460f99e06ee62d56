"""Consistency: by hand on linear critics, the scores that are asked for again, and points that are refused."""

import dataclasses

import pytest
import torch
from torch import nn

from ganvas.augment import DiffAugment, Flip, InstanceNoise
from ganvas.objectives import BalancedConsistency, Consistency, Sum
from ganvas.objectives.judge import Judge
from ganvas.types import Judged

FLIP = {"flip": Flip(p=1.0)}


class LeftPixel(nn.Module):
    """Scores an image by the sum of its left pixels."""

    shape = (1, 1, 2)

    def forward(self, x):
        return x[..., 0].flatten(1).sum(1)


REAL = torch.tensor([[1.0, 3.0], [0.0, -1.0]]).view(2, 1, 1, 2)  # mirrored, scores change by 2 and -1
FAKE = torch.tensor([[5.0, 5.0], [2.0, 6.0]]).view(2, 1, 1, 2)  # by 0 and 4


def test_mean_squared_change_under_a_flip_by_hand():
    assert Consistency(10.0, FLIP, every=1).penalty(LeftPixel(), REAL, FAKE).item() == 10 * (4 + 1) / 2
    both = BalancedConsistency(10.0, FLIP, every=1).penalty(LeftPixel(), REAL, FAKE)
    assert both.item() == 10 * ((4 + 1) / 2 + (0 + 16) / 2)


def test_transformations_follow_each_other():
    twice = {"once": Flip(p=1.0), "again": Flip(p=1.0)}
    assert Consistency(10.0, twice, every=1).penalty(LeftPixel(), REAL, FAKE).item() == 0


def test_scores_of_the_turn_are_not_computed_again():
    seen = []

    def look(x):
        seen.append(x)
        return Judged(x.flatten(1).sum(1))

    judge = Judge(LeftPixel(), look)
    judge(REAL), judge(FAKE)
    BalancedConsistency(1.0, FLIP, every=1).penalty(judge, REAL, FAKE)
    assert [x is y for x, y in zip(seen, (REAL, FAKE), strict=False)] == [True, True] and len(seen) == 4


@pytest.mark.parametrize("flat", [False, True])
def test_points_are_refused_before_training_by_name(flat):
    critic = nn.Linear(2, 1)
    critic.shape = (2,)
    penalty = BalancedConsistency(1.0, {"move": DiffAugment(1.0, ["translation"])}, every=1)
    with pytest.raises(ValueError, match=r"DiffAugment transforms images, got examples of shape \(2,\)"):
        (Sum({"bcr": penalty}) if flat else penalty).prepare(critic)
    dataclasses.replace(penalty, transforms={"noise": InstanceNoise(0.1)}).prepare(critic)
