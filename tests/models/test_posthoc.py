"""Power-function averages against numerical integration, and against the mean over a recorded trajectory."""

import numpy as np
import pytest
from scipy.integrate import quad

from ganvas.models.posthoc import WIDEST, Profile, combination, decay, exponent, relative_width

WIDTHS = [0.01, 0.05, 0.1, 0.2, WIDEST]
KEPT = (0.05, 0.10)


def density(gamma, seen):
    """Equation 121."""
    return lambda tau: (gamma + 1) * tau**gamma / seen ** (gamma + 1) if tau <= seen else 0.0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_width_is_the_standard_deviation_of_the_profile(width):
    gamma, seen = exponent(width), 3.0
    profile = density(gamma, seen)
    mean = quad(lambda tau: tau * profile(tau), 0, seen)[0]
    deviation = quad(lambda tau: (tau - mean) ** 2 * profile(tau), 0, seen)[0] ** 0.5
    assert deviation / seen == pytest.approx(width, rel=1e-6) == relative_width(gamma)


def test_inner_products_are_integrals():
    rng = np.random.default_rng(0)
    for a, b in rng.uniform(0, 12, (4, 2)):
        for t, u in [(1.0, 1.0), (0.4, 1.3), (1.3, 0.4)]:
            truth = quad(lambda tau: density(a, t)(tau) * density(b, u)(tau), 0, min(t, u))[0]  # noqa: B023
            assert Profile(a, t).inner(Profile(b, u)) == pytest.approx(truth, rel=1e-6)


@pytest.fixture(scope="module")
def training():
    """Weights of a training of uneven batches, the times, and snapshots of two averages at a twentieth each."""
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.integers(1, 60, 2000))
    weights = np.cumsum(rng.normal(size=2000)) * 0.03 + np.exp(-np.arange(2000) / 200) + np.sin(np.arange(2000) / 90)
    average, snapshots, before = dict.fromkeys(KEPT, 100.0), {}, 0  # 100: what the average starts from is forgotten
    for i, (time, weight) in enumerate(zip(times, weights, strict=True)):
        for width in KEPT:
            beta = decay(exponent(width), int(time - before), int(time))
            average[width] = beta * average[width] + (1 - beta) * weight
        before = time
        if i % 100 == 99:
            snapshots |= {(width, int(time)): average[width] for width in KEPT}
    return times, weights, snapshots


def mean_of(training, width, seen):
    """The integral of profile times weights, which are constant between updates."""
    times, weights, _ = training
    gamma = exponent(width)
    edges = (np.concatenate([[0], times[times <= seen]]) / seen) ** (gamma + 1)
    return float(np.diff(edges) @ weights[times <= seen])


def test_a_kept_average_is_the_mean_over_the_trajectory(training):
    for (width, seen), average in training[2].items():
        assert average == pytest.approx(mean_of(training, width, seen), rel=1e-9)


@pytest.mark.parametrize("width", [0.03, 0.05, 0.07, 0.15, 0.2])
@pytest.mark.parametrize("part", [10, 20])
def test_a_combination_is_the_mean_that_was_never_kept(training, width, part):
    snapshots = dict(list(training[2].items())[: 2 * part])
    seen = max(time for _, time in snapshots)
    kept = [Profile(exponent(one), time) for one, time in snapshots]
    factors, error = combination(kept, Profile(exponent(width), seen))
    truth = mean_of(training, width, seen)
    nearest = min(abs(value - truth) for (_, time), value in snapshots.items() if time == seen)
    off = abs(np.dot(factors, list(snapshots.values())) - truth)
    assert off < 0.02 and (off < 0.2 * nearest or width in KEPT) and error < 0.1, (off, nearest, error)
    if width in KEPT:
        assert error < 1e-6 and off < 1e-6


def test_the_combination_is_the_closest_one_and_its_error_that_of_the_curves():
    kept = [Profile(exponent(width), time) for time in (0.25, 0.5, 0.75, 1.0) for width in KEPT]
    wanted = Profile(exponent(0.03), 1.0)
    factors, error = combination(kept, wanted)
    tau = (np.arange(200_000) + 0.5) / 200_000
    curves = np.stack([np.where(tau <= p.seen, (p.gamma + 1) * (tau / p.seen) ** p.gamma / p.seen, 0) for p in kept])
    goal = (wanted.gamma + 1) * tau**wanted.gamma
    distance = lambda x: np.sqrt(((x @ curves - goal) ** 2).mean())  # noqa: E731
    assert sum(factors) == pytest.approx(1)
    assert error == pytest.approx(distance(factors) / np.sqrt((goal**2).mean()), rel=1e-3)
    best = np.linalg.lstsq(curves.T, goal, rcond=None)[0]
    np.testing.assert_allclose(factors, best / best.sum(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("width", [0.0, -1.0, 0.3, float("nan")])
def test_widths_that_no_profile_has_are_refused(width):
    with pytest.raises(ValueError, match=r"expected a number above 0 and at most 0.2887.*write 0.1"):
        exponent(width)
