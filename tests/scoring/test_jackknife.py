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
from ganvas.scoring.jackknife import LeftOut, freedom_of, without_each
from ganvas.scoring.replicates import Replicates, left_out

SETTINGS = settings_of({"kid_subsets": 10, "kid_subset_size": 40})


def features(values):
    return Features(torch.as_tensor(values, dtype=torch.float32), None, "mnist", "0" * 64)


def drawn(n, d=1, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()


def mean_of(x, groups):
    """The mean of a set, left out by groups."""
    return LeftOut(
        torch.stack([x[kept].mean() for kept in without_each(len(x), groups, seed=1)]), len(x) // groups, len(x)
    )


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


@pytest.mark.parametrize(("n", "groups"), [(12, 4), (14, 4), (7, 7)])
def test_each_group_is_left_out_once_and_the_others_keep_their_places(n, groups):
    every = list(without_each(n, groups, seed=3))
    out = [set(range(n)) - set(kept.tolist()) for kept in every]
    assert len(every) == groups and all(len(group) == n // groups for group in out)
    assert sum(map(len, out)) == len(set.union(*out))
    last = every[-1]
    assert all(int((kept != last).sum()) == n // groups for kept in every[:-1])
    assert torch.equal(last, next(iter(reversed(list(without_each(n, groups, seed=3))))))


def test_the_error_of_a_mean_is_that_of_its_groups_also_where_some_images_are_in_none():
    x = drawn(12)[:, 0]
    assert mean_of(x, 12).variance == pytest.approx(float(x.var()) / 12)
    for n, groups in ((12, 4), (14, 4)):
        out = [sorted(set(range(n)) - set(kept.tolist())) for kept in without_each(n, groups, seed=1)]
        x = drawn(n)[:, 0]
        of_groups = np.var([float(x[group].mean()) for group in out], ddof=1)
        assert mean_of(x, groups).variance == pytest.approx(of_groups * (n // groups) / n)


def test_two_means_have_the_interval_of_welchs_test():
    x, y = drawn(9, seed=1)[:, 0], 3 * drawn(14, seed=2)[:, 0]
    a, b = (Replicates(float(side.mean()), samples=mean_of(side, len(side))) for side in (x, y))
    found, expected = a.minus(b), stats.ttest_ind(x.numpy(), y.numpy(), equal_var=False)
    ends = expected.confidence_interval(0.95)
    assert found.freedom == pytest.approx(expected.df) and interval(found) == pytest.approx((ends.low, ends.high))
    assert found.how == "independent samples" and found.reference == 0.0


def test_means_over_the_same_images_have_the_interval_of_the_paired_t_test():
    x = drawn(9, seed=1)[:, 0]
    y = x + 0.1 * drawn(9, seed=2)[:, 0]
    a, b = (Replicates(float(side.mean()), mean_of(side, 9), by="image") for side in (x, y))
    ends = stats.ttest_rel(x.numpy(), y.numpy()).confidence_interval(0.95)
    found = a.minus(b)
    assert interval(found) == pytest.approx((ends.low, ends.high)) and found.how == "paired by image"
    assert found.n_reference == 9 and found.n_samples == 0
    assert found.error < 0.2 * math.hypot(a.spread.error, b.spread.error)


def of(metric, real, fake, groups=10**6, latents=None):
    pair = Comparison(features(real), features(fake), SETTINGS)
    sides = left_out(pair, [metric], groups)[metric]
    value = registry.metrics()[metric].compute(pair).value
    return Replicates(value, sides.reference, sides.samples, latents, "reference images")


def test_what_the_reference_does_to_both_cancels(gap):
    real, one, other = drawn(20), drawn(10, seed=1), 1 + drawn(10, seed=2)
    a, b = of(gap, real, one), of(gap, real, other)
    assert a.spread.reference == pytest.approx(float(real.var()) / 20, rel=1e-5)
    assert a.spread.samples == pytest.approx(float(one.var()) / 10, rel=1e-5)
    found = a.minus(b)
    assert found.reference == pytest.approx(0, abs=1e-12) and found.how == "paired by reference images"
    assert found.samples == pytest.approx(float(one.var() + other.var()) / 10, rel=1e-5)
    assert (found.n_reference, found.n_samples) == (20, 10)


def test_samples_of_the_same_latents_are_pairs(gap):
    real, one = drawn(20), drawn(10, seed=1)
    a, b = of(gap, real, one, latents=7), of(gap, real, one + 1, latents=7)
    assert a.minus(b).error == pytest.approx(0, abs=1e-6)
    assert a.minus(b).how == "paired by reference images and latents"
    assert a.minus(of(gap, real, one + 1, latents=8)).error > 0.1


def test_a_score_of_samples_alone_reads_no_reference_and_moments_are_held_fixed(gap, level):
    real, fake = drawn(20, 2), drawn(10, 2, seed=1)
    assert of(level, real, fake).reference is None
    assert of(level, real, fake, latents=1).minus(of(level, real, fake, latents=1)).how == "paired by latents"
    moments = Statistics(moments_of(features(real)), 20, "mnist", "0" * 64)
    sides = left_out(Comparison(moments, features(fake), SETTINGS), ["fd"], 5)["fd"]
    assert sides.reference is None and len(sides.samples.values) == 5


def test_a_metric_without_replicates_is_unpaired():
    a, b = Replicates(5.0, error=3.0), Replicates(1.0, error=4.0)
    found = a.minus(b)
    assert (found.value, found.error, found.how, found.freedom) == (4.0, 5.0, "unpaired", math.inf)
    assert math.isnan(a.minus(Replicates(1.0)).error)
    assert a.minus(Replicates(1.0, samples=mean_of(drawn(5)[:, 0], 5), error=4.0)).how == "unpaired"
    # rarity of samples in no ball is NaN: half of a variance is no variance
    far = left_out(Comparison(features(drawn(8)), features(drawn(6) + 1000), SETTINGS), ["rarity"], 3)
    assert far["rarity"] == (None, None)


def test_a_score_of_drawn_subsets_varies_with_the_images_and_not_with_the_draw():
    """The kernel distance draws subsets by a seed; its error is that over new images, measured on 20 pairs."""
    values, errors = [], []
    for seed in range(20):
        real, fake = drawn(60, 3, seed=2 * seed), 0.5 + drawn(60, 3, seed=2 * seed + 1)
        found = of("kid", real, fake, groups=5)
        values.append(found.value)
        errors.append(found.spread.error)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values, ddof=1), rel=0.5)


def line_distance(x, y):
    """Fréchet distance in one dimension, (m1 - m2)^2 + (s1 - s2)^2, of the last axis."""
    return (x.mean(-1) - y.mean(-1)) ** 2 + (x.std(-1) - y.std(-1)) ** 2


def test_the_distance_is_measured_without_each_group():
    real, fake = drawn(20), 0.5 + drawn(15, seed=1)
    found = of("fd", real, fake, groups=5)
    kept = {n: torch.stack(list(without_each(n, 5, SETTINGS.seed))) for n in (20, 15)}
    x, y = (features(side).values.double()[:, 0] for side in (real, fake))
    assert found.reference.values.tolist() == pytest.approx(line_distance(x[kept[20]], y).tolist(), rel=1e-4)
    assert found.samples.values.tolist() == pytest.approx(line_distance(x, y[kept[15]]).tolist(), rel=1e-4)
    assert (found.reference.size, found.samples.size) == (4, 3)


@pytest.mark.parametrize("redraws", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_the_interval_of_a_difference_of_frechet_distances_covers_the_truth(redraws):
    """Gaussians in one dimension, whose distance is known; the interval is shorter than without pairing."""
    n, groups = 400, 20
    truth = (0.8**2 + 0.1**2) - (0.5**2 + 0.2**2)
    kept = torch.stack(list(without_each(n, groups, seed=0)))
    covered, errors, unpaired = [], [], []
    for seed in range(redraws // 100):
        real, a, b = drawn(300 * n, seed=seed).view(3, 100, n)
        sides = []
        for fake in (0.8 + 1.1 * a, 0.5 + 1.2 * b):
            of_real = line_distance(real[:, kept], fake[:, None])
            of_fake = line_distance(real[:, None], fake[:, kept])
            value = line_distance(real, fake)
            sides.append(
                [
                    Replicates(float(v), LeftOut(r, n // groups, n), LeftOut(f, n // groups, n))
                    for v, r, f in zip(value, of_real, of_fake, strict=True)
                ]
            )
        for one, other in zip(*sides, strict=True):
            low, high = interval(one.minus(other))
            covered.append(low <= truth <= high)
            errors.append(one.minus(other).error)
            unpaired.append(math.hypot(one.spread.error, other.spread.error))
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(errors) < 0.9 * np.mean(unpaired)


def test_a_sum_of_no_variance_has_endless_freedom():
    assert freedom_of([LeftOut(torch.ones(3, dtype=torch.float64), 1, 3)]) == math.inf
