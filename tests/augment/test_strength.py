"""How p follows the critic: the published rule on signs worked out by hand."""

import pytest
import torch

from ganvas.augment import ADA, Strength

UP, DOWN = torch.ones(10), -torch.ones(10)
"""Scores with mean sign 1 and -1; eight of ten above 0 make 0.6."""


def even(positive):
    return torch.cat([UP[:positive], DOWN[positive:]]) * torch.rand(10).add(0.1)


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ([9, 9, 9, 9], 0.54),  # mean sign 0.8, above 0.6: 4 updates of 10 images are 0.04 of 1000
        ([7, 7, 7, 7], 0.46),  # 0.4
        ([10, 10, 10, 0], 0.46),  # 0.5: the mean counts, not the most frequent sign
        ([10, 10, 7, 7], 0.54),  # 0.7
        ([10, 10, 10], 0.5),  # too early
        ([9] * 8, 0.58),
        ([9] * 4 + [7] * 4, 0.5),
        ([9] * 4 + [7] * 3, 0.54),
    ],
)
def test_p_moves_every_fourth_update_towards_the_target(signs, expected):
    strength = Strength(p=0.5, target=0.6, images=1000)
    for positive in signs:
        strength.observe(even(positive), 10)
    assert strength.p.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("p", "positive"), [(0.0, 0), (1.0, 10), (0.02, 0), (0.98, 10)])
def test_p_stays_a_probability(p, positive):
    strength = Strength(p=p, target=0.6, images=1000)
    for _ in range(4):
        strength.observe(even(positive), 10)
    assert strength.p == (0 if p < 0.5 else 1)


def test_sizes_of_scores_do_not_matter():
    strength = Strength(p=0.5, target=0.6, images=1000)
    for _ in range(4):
        strength.observe(torch.tensor([1000.0, 1e-3, -1e-3, -1e-3]), 10)
    assert strength.p < 0.5


def test_a_mean_over_two_processes_counts(monkeypatch):
    other = 0.2  # mean sign of the other process
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.add_(other))
    strength = Strength(p=0.5, target=0.6, images=1000)
    for _ in range(4):
        strength.observe(even(9), 10)  # 0.8 here, so 0.5 in the mean
    assert strength.p.item() == pytest.approx(0.46)


def test_ada_has_a_strength_only_with_a_target():
    assert ADA(0.3, None, 1000).strength() is None
    strength = ADA(0.3, 0.5, 1000).strength()
    assert strength is not None and strength.p.item() == pytest.approx(0.3)
    assert (strength.target, strength.images) == (0.5, 1000)
