"""Errors of scores and differences against scipy's tests of means, closed forms and simulated Gaussians."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ganvas.extractors.features import Features
from ganvas.metrics import registry
from ganvas.metrics.base import FEATURES, SAMPLE_FEATURES, Score, feature_metric
from ganvas.metrics.comparison import Comparison, Statistics, moments_of
from ganvas.metrics.registry import settings_of
from ganvas.reports.contrast import interval
from ganvas.scoring.halves import Halves, freedom_of, of_terms
from ganvas.scoring.replicates import Replicates, contrasts_of

SETTINGS = settings_of({"kid_subsets": 10, "kid_subset_size": 40})


def features(values):
    return Features(torch.as_tensor(values, dtype=torch.float32), None, "mnist", "0" * 64)


def drawn(n, d=1, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()


def mean_of(x, groups):
    """The mean of a set, by halves of it."""
    halves = Halves(len(x), groups, SETTINGS.seed)
    return halves.contrasts(torch.stack([x[one].mean() - x[other].mean() for one, other in halves.pairs()]))


@pytest.fixture
def gap():
    """A score whose errors are known: the mean of the samples minus that of the reference."""

    def compute(pair):
        return Score(float(pair.fake.values.mean() - pair.real_features("gap").values.mean()), None, "")

    with registry.registered(feature_metric("gap", FEATURES, True, compute, "difference of means")):
        yield "gap"


@pytest.fixture
def level():
    """A score of the samples alone."""

    def compute(pair):
        return Score(float(pair.fake.values.mean()), None, "")

    with registry.registered(feature_metric("level", SAMPLE_FEATURES, True, compute, "mean")):
        yield "level"


@pytest.mark.parametrize(("n", "groups"), [(16, 4), (19, 8), (8, 8)])
def test_halves_are_balanced_and_orthogonal(n, groups):
    pairs = Halves(n, groups, seed=3).pairs()
    assert len(pairs) == groups - 1
    signs = torch.zeros(groups - 1, n)
    for sign, (one, other) in zip(signs, pairs, strict=True):
        sign[one], sign[other] = 1, -1
    used = groups * (n // groups)
    assert torch.equal(signs @ signs.T, used * torch.eye(groups - 1)) and (signs.sum(1) == 0).all()
    again = Halves(n, groups, seed=3).pairs()
    assert all(torch.equal(a[0], b[0]) for a, b in zip(pairs, again, strict=True))


def test_the_error_of_a_mean_is_that_of_its_groups_also_where_some_images_are_in_none():
    x = drawn(19)[:, 0]
    assert mean_of(x[:16], 16).variance == pytest.approx(float(x[:16].var()) / 16)
    assert of_terms(x).variance == pytest.approx(float(x.var()) / 19) and of_terms(x).freedom == 18
    groups = torch.randperm(19, generator=torch.Generator().manual_seed(SETTINGS.seed))[:16].view(8, 2)
    of_groups = float(x[groups].mean(1).var()) / 8
    assert mean_of(x, 8).variance == pytest.approx(of_groups * 16 / 19) and mean_of(x, 8).freedom == 7


def test_groups_out_of_range_are_refused():
    for groups in (2, 12):
        with pytest.raises(ValueError, match=rf"groups={groups}: expected a power of two from 4 on"):
            Halves(20, groups, seed=1)
    with pytest.raises(ValueError, match="expected at least 8 images"):
        Halves(7, 8, seed=1)


def test_two_means_have_the_interval_of_welchs_test():
    x, y = drawn(9, seed=1)[:, 0], 3 * drawn(14, seed=2)[:, 0]
    a, b = (Replicates(float(side.mean()), samples=of_terms(side)) for side in (x, y))
    found, expected = a.minus(b), stats.ttest_ind(x.numpy(), y.numpy(), equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert found.freedom == pytest.approx(expected.df) and interval(found) == pytest.approx((ends.low, ends.high))
    assert found.how == "independent samples" and found.reference == 0.0


def test_means_over_the_same_images_have_the_interval_of_the_paired_t_test():
    x = drawn(9, seed=1)[:, 0]
    y = x + 0.1 * drawn(9, seed=2)[:, 0]
    a, b = (Replicates(float(side.mean()), of_terms(side), by="image") for side in (x, y))
    ends = stats.ttest_rel(x.numpy(), y.numpy()).confidence_interval(0.95)
    found = a.minus(b)
    assert interval(found) == pytest.approx((ends.low, ends.high)) and found.how == "paired by image"
    assert found.n_reference == 9 and found.n_samples == 0
    assert found.error < 0.2 * math.hypot(a.spread.error, b.spread.error)


def of(metric, real, fake, groups=16, latents=None):
    pair = Comparison(features(real), features(fake), SETTINGS)
    sides = contrasts_of(pair, [metric], groups)[metric]
    value = registry.metrics()[metric].compute(pair).value
    return Replicates(value, sides.reference, sides.samples, latents, "reference images")


def test_what_the_reference_does_to_both_cancels(gap):
    real, one, other = drawn(32), drawn(16, seed=1), 1 + drawn(16, seed=2)
    a, b = of(gap, real, one), of(gap, real, other)
    assert a.spread.reference == pytest.approx(mean_of(real[:, 0], 16).variance, rel=1e-5)
    assert a.spread.samples == pytest.approx(float(one.var()) / 16, rel=1e-5)  # groups of one image
    found = a.minus(b)
    assert found.reference == pytest.approx(0, abs=1e-12) and found.how == "paired by reference images"
    assert found.samples == pytest.approx(float(one.var() + other.var()) / 16, rel=1e-5)
    assert (found.n_reference, found.n_samples) == (32, 16)


def test_samples_of_the_same_latents_are_pairs(gap):
    real, one = drawn(32), drawn(16, seed=1)
    a, b = of(gap, real, one, latents=7), of(gap, real, one + 1, latents=7)
    assert a.minus(b).error == pytest.approx(0, abs=1e-6)
    assert a.minus(b).how == "paired by reference images and latents"
    assert a.minus(of(gap, real, one + 1, latents=8)).error > 0.1


def test_a_score_of_samples_alone_reads_no_reference_and_moments_are_held_fixed(gap, level):
    real, fake = drawn(20, 2), drawn(10, 2, seed=1)
    assert of(level, real, fake).reference is None
    assert of(level, real, fake, latents=1).minus(of(level, real, fake, latents=1)).how == "paired by latents"
    moments = Statistics(moments_of(features(real)), 20, "mnist", "0" * 64)
    sides = contrasts_of(Comparison(moments, features(fake), SETTINGS), ["fd"], 4)["fd"]
    assert sides.reference is None and len(sides.samples.values) == 3


def test_a_metric_without_replicates_is_unpaired():
    a, b = Replicates(5.0, error=3.0), Replicates(1.0, error=4.0)
    found = a.minus(b)
    assert (found.value, found.error, found.how, found.freedom) == (4.0, 5.0, "unpaired", math.inf)
    assert math.isnan(a.minus(Replicates(1.0)).error)
    assert a.minus(Replicates(1.0, samples=of_terms(drawn(5)[:, 0]), error=4.0)).how == "unpaired"
    # the rarity of samples in no ball is NaN, and 4 images have no 3 neighbours in their halves
    for real, fake, metric in ((drawn(16), drawn(16) + 1000, "rarity"), (drawn(4), drawn(16), "precision")):
        found = contrasts_of(Comparison(features(real), features(fake), SETTINGS), [metric], 8)
        assert found[metric] == (None, None)
    assert contrasts_of(Comparison(features(drawn(3)), features(drawn(16)), SETTINGS), ["fd"], 8)["fd"] == (None, None)


def line_distance(x, y):
    """Fréchet distance in one dimension, (m1 - m2)^2 + (s1 - s2)^2, of the last axis."""
    return (x.mean(-1) - y.mean(-1)) ** 2 + (x.std(-1) - y.std(-1)) ** 2


def crossed(distance, x, y, pairs):
    """Contrasts of a distance from the reference and from the samples, over the last axis; see the module."""
    one, other = (torch.stack([pair[side] for pair in pairs]) for side in (0, 1))
    a, b, c, d = (distance(x[..., i], y[..., j]) for i in (one, other) for j in (one, other))
    return (a + b - c - d) / 2, (a - b + c - d) / 2


def test_the_distance_is_measured_on_all_pairs_of_halves():
    real, fake = drawn(24), 0.5 + drawn(24, seed=1)
    found = of("fd", real, fake, groups=4)
    x, y = (features(side).values.double()[:, 0] for side in (real, fake))
    expected = crossed(line_distance, x, y, Halves(24, 4, SETTINGS.seed).pairs())
    for side, values in zip((found.reference, found.samples), expected, strict=True):
        assert side.values.tolist() == pytest.approx(values.tolist(), rel=1e-4, abs=1e-6)
        assert side.variance == pytest.approx(float(values.square().sum()) / 12, rel=1e-3)


def inside(x, y):
    """Precision in one dimension with k = 1: share of samples in the closed ball of a real image."""
    gaps = (x[..., :, None] - x[..., None, :]).abs() + 1e9 * torch.eye(x.shape[-1])
    balls = (y[..., None, :] - x[..., :, None]).abs() <= gaps.amin(-1, keepdim=True)
    return balls.any(-2).double().mean(-1)


@pytest.mark.parametrize(
    ("distance", "n", "redraws"),
    [
        (line_distance, 400, 500),
        (inside, 64, 500),
        pytest.param(line_distance, 400, 4_000, marks=pytest.mark.slow),
        pytest.param(inside, 64, 2_000, marks=pytest.mark.slow),
    ],
)
def test_the_interval_of_a_difference_covers_the_truth_and_is_shorter_than_without_pairing(distance, n, redraws):
    """Gaussians in one dimension: a Fréchet distance, which is smooth, and a precision, which depends on neighbours."""
    halves = Halves(n, 16, seed=0)
    pairs, found, unpaired = halves.pairs(), [], []
    for seed in range(redraws // 100):
        real, a, b = drawn(300 * n, seed=seed).view(3, 100, n)
        sides = []
        for fake in (0.8 + 1.1 * a, 0.5 + 1.2 * b):
            contrasts = zip(distance(real, fake), *crossed(distance, real, fake, pairs), strict=True)
            sides.append([Replicates(float(v), halves.contrasts(r), halves.contrasts(f)) for v, r, f in contrasts])
        found += [one.minus(other) for one, other in zip(*sides, strict=True)]
        unpaired += [math.hypot(one.spread.error, other.spread.error) for one, other in zip(*sides, strict=True)]
    values = [spread.value for spread in found]
    truth = np.mean(values) if distance is inside else (0.8**2 + 0.1**2) - (0.5**2 + 0.2**2)
    ends = [interval(spread) for spread in found]
    coverage = np.mean([low <= truth <= high for low, high in ends])
    assert 0.93 <= coverage <= 0.97, coverage
    assert np.mean([spread.error for spread in found]) < 0.95 * np.mean(unpaired)


def test_a_sum_of_no_variance_has_endless_freedom():
    assert freedom_of([of_terms(torch.ones(3, dtype=torch.float64))]) == math.inf
