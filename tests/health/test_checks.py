"""Findings on either side of their thresholds, with values computed by hand."""

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import softplus

from ganvas.health.adversarial import critic_gap, critic_gradient, discriminator_saturation
from ganvas.health.checks import class_coverage, finite, gradient_norms, posterior_collapse
from ganvas.latents.activity import LatentActivity


def normal(n, mean, seed):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed)) + mean


def test_values_that_are_not_numbers_are_counted_and_named():
    series = {"loss": torch.tensor([1.0, 2.0]), "kl": torch.tensor([1.0, math.nan, math.inf])}
    found = finite(series)
    assert (found.name, found.value, found.state) == ("finite", 2.0, "warn")
    assert "kl at entry 1" in found.reason
    assert finite({"loss": series["loss"]}).state == "ok"


@pytest.mark.parametrize(
    "norms, value, finding",
    [
        ([1.0, 2.0, 3.0], 1.5, "ok"),
        ([1.0] * 9 + [101.0], 101.0, "warn"),
        ([1e-9] * 5, 1.0, "warn"),
        ([0.0] * 5, math.inf, "warn"),
        ([1.0, math.nan], math.nan, "warn"),
    ],
)
def test_gradient_norms(norms, value, finding):
    found = gradient_norms(torch.tensor(norms))
    assert found.value == pytest.approx(value, nan_ok=True)
    assert found.state == finding


def test_all_classes_in_proportion():
    reference = torch.tensor([50, 30, 20])
    found = class_coverage(torch.tensor([0] * 48 + [1] * 33 + [2] * 19), reference)
    assert (found.value, found.state) == (3.0, "ok")


def test_a_missing_class_of_ten():
    # Some images of a missing class are always seen, by the classifier's errors.
    classes = torch.cat([torch.arange(9).repeat(1000), torch.tensor([9] * 5)])
    found = class_coverage(classes, torch.full((10,), 100))
    assert (found.value, found.state) == (9.0, "warn")
    assert "9 of 10 classes" in found.reason


def test_all_classes_out_of_proportion():
    classes = torch.tensor([0] * 90 + [1] * 10)
    found = class_coverage(classes, torch.tensor([50, 50]))
    assert (found.value, found.state) == (2.0, "warn")
    divergence = 0.9 * math.log(1.8) + 0.1 * math.log(0.2)
    assert f"{divergence:.3f} nats" in found.reason


def test_a_class_the_reference_lacks_is_not_asked_for_but_is_no_match():
    assert class_coverage(torch.tensor([0, 1]), torch.tensor([1, 1, 0])).state == "ok"
    assert class_coverage(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 0])).state == "warn"
    with pytest.raises(ValueError, match="classes: expected 0 to 1, got 5"):
        class_coverage(torch.tensor([5]), torch.tensor([1, 1]))


@pytest.mark.parametrize(
    "variances, value, finding",
    [
        ([0.0, 0.009], 0.0, "warn"),
        ([0.0, 0.011], 1.0, "ok"),
        ([1.0] * 4 + [0.0] * 96, 4.0, "warn"),
        ([1.0] * 5 + [0.0] * 95, 5.0, "ok"),
        ([math.nan, 1.0], 1.0, "warn"),
    ],
)
def test_posterior_collapse(variances, value, finding):
    variance = torch.tensor(variances, dtype=torch.float64)
    limit = torch.full_like(variance, 0.01)
    found = posterior_collapse(LatentActivity(variance, torch.zeros_like(variance), 10, limit))
    assert (found.name, found.value, found.state) == ("active_units", value, finding)


def test_a_hierarchy_may_leave_groups_unused():
    variance = torch.tensor([0.0] * 60 + [1.0] + [0.0] * 3, dtype=torch.float64)
    activity = LatentActivity(variance, None, 10, torch.full_like(variance, 0.01), groups=(60, 4))
    found = posterior_collapse(activity)
    assert found.state == "ok" and "; by group, from the top: 0 of 60, 1 of 4." in found.reason
    assert posterior_collapse(dataclasses.replace(activity, groups=None)).state == "warn"
    assert posterior_collapse(dataclasses.replace(activity, variance=torch.zeros(64).double())).state == "warn"


@pytest.mark.parametrize("logit, finding", [(0.0, "ok"), (1.0, "ok"), (4.0, "ok"), (6.0, "warn"), (math.nan, "warn")])
def test_discriminator_saturation(logit, finding):
    real = torch.full((5,), logit)
    loss = softplus(-real) + softplus(-real)
    found = discriminator_saturation(loss, real, -real, chance=2 * math.log(2))
    assert found.value == pytest.approx(math.log1p(math.exp(-logit)) / math.log(2), rel=1e-4, nan_ok=True)
    assert found.state == finding


def test_saturation_needs_a_loss_at_chance():
    with pytest.raises(ValueError, match="chance: expected a positive loss, got 0"):
        discriminator_saturation(torch.zeros(1), torch.zeros(1), torch.zeros(1), chance=0.0)


def test_critic_gap_is_the_share_of_the_estimate_that_does_not_carry_over():
    train, fake = torch.tensor([3.0, 5.0]), torch.tensor([-1.0, 1.0])
    assert critic_gap(train, torch.tensor([2.0, 4.0]), fake).value == pytest.approx(0.25)
    overfitted = critic_gap(normal(500, 4.0, 0), normal(500, 2.0, 1), normal(500, 0.0, 2))
    assert overfitted.value == pytest.approx(0.5, abs=0.05)
    assert overfitted.state == "warn"
    assert critic_gap(normal(500, 4.0, 0), normal(500, 4.0, 1), normal(500, 0.0, 2)).state == "ok"


def test_few_held_out_images_raise_no_alarm():
    assert critic_gap(normal(5, 1.0, 0), normal(5, 0.5, 1), normal(5, 0.0, 2)).state == "ok"


def test_a_critic_without_an_estimate_has_no_gap():
    found = critic_gap(normal(500, 0.0, 0), normal(500, -5.0, 1), normal(500, 1.0, 2))
    assert (found.value, found.state) == (0.0, "ok")
    assert critic_gap(normal(9, math.nan, 0), normal(9, 0.0, 1), normal(9, 0.0, 2)).state == "warn"


@pytest.mark.parametrize(
    "norms, one_sided, finding",
    [
        ([0.9, 1.1], False, "ok"),
        ([0.5, 0.9], False, "warn"),
        ([0.5, 0.9], True, "ok"),
        ([1.0, 2.0], True, "warn"),
        ([math.nan], True, "warn"),
    ],
)
def test_critic_gradient(norms, one_sided, finding):
    found = critic_gradient(torch.tensor(norms) * 3, target=3.0, one_sided=one_sided)
    assert found.value == pytest.approx(sum(norms) / len(norms), nan_ok=True)
    assert found.state == finding


def test_empty_series_are_refused():
    with pytest.raises(ValueError, match="norms: expected at least one value"):
        gradient_norms(torch.zeros(0))
    with pytest.raises(ValueError, match="held_out: expected at least 2 scores, got 1"):
        critic_gap(torch.zeros(2), torch.zeros(1), torch.zeros(2))
    with pytest.raises(ValueError, match="series: expected at least one"):
        finite({})
