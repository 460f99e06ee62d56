"""FD-infinity and the error of the Fréchet distance, against Gaussians whose distance is known."""

import numpy as np
import pytest
import torch

from ganvas.metrics.extrapolation import Line, intercept
from ganvas.metrics.fd_infinity import fd_infinity, symmetric_distance
from ganvas.metrics.frechet import Moments, frechet_error, moments_distance

D = 24
SCALES = torch.linspace(0.2, 1.0, D, dtype=torch.float64)
REAL = Moments(torch.zeros(D, dtype=torch.float64), torch.diag(SCALES.square()))
LINE = {"points": 15, "share": 0.1, "seed": 0}


def draw(n, seed, scale=1.0, shift=0.0):
    z = torch.randn(n, D, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (z * SCALES * scale + shift).float()


def truth(scale, shift):
    """Axis-aligned Gaussians: squared differences of means and of deviations."""
    return float(D * shift**2 + ((scale - 1) * SCALES).square().sum())


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.7, 0.0), (1.2, 0.1)])
def test_the_line_reads_the_known_distance_where_fd_is_biased(scale, shift):
    biased, extrapolated = [], []
    for seed in range(12):
        fake = draw(1000, seed, scale, shift)
        biased.append(moments_distance(REAL, Moments.of(fake)))
        extrapolated.append(fd_infinity(REAL, fake, **LINE)[0])
    expected, error = truth(scale, shift), np.std(extrapolated) / np.sqrt(12)
    assert np.mean(extrapolated) == pytest.approx(expected, abs=4 * error + 0.01)
    assert np.mean(biased) - expected > 4 * abs(np.mean(extrapolated) - expected)


def test_a_distance_that_is_a_line_is_read_exactly(monkeypatch):
    module = "ganvas.metrics.fd_infinity"
    monkeypatch.setattr(f"{module}.Moments.of", staticmethod(len))
    monkeypatch.setattr(f"{module}.symmetric_distance", lambda real, n: 3.0 + 70.0 / n)
    value, error = fd_infinity(REAL, draw(400, 0), **LINE)
    assert value == pytest.approx(3.0, abs=1e-9) and error == pytest.approx(0.0, abs=1e-6)


def test_the_error_of_the_line_is_the_textbook_one():
    from scipy.stats import linregress

    x, y = torch.linspace(0.01, 0.1, 9).double(), torch.randn(9, generator=torch.Generator().manual_seed(0)).double()
    expected = linregress(x.numpy(), y.numpy())
    assert intercept(x, y) == pytest.approx((expected.intercept, expected.intercept_stderr), rel=1e-9)


def test_counts_are_even_from_the_share_to_all():
    assert Line(15, 0.1, 0).counts(50_000)[:2] == [5000, 8214] and Line(15, 0.1, 0).counts(50_000)[-1] == 50_000
    assert Line(3, 0.1, 0).counts(20) == [2, 11, 20]


def test_follows_its_seed_and_not_the_global_one():
    fake = draw(300, 0)
    first = fd_infinity(REAL, fake, **LINE)
    torch.manual_seed(99)
    assert fd_infinity(REAL, fake, **LINE) == first
    assert fd_infinity(REAL, fake, **{**LINE, "seed": 1}) != first


@pytest.mark.parametrize("n", [400, 10])
def test_the_symmetric_form_is_torch_fidelitys_number(n):
    """With n below d the covariance is singular, and both take roots of rounding."""
    real, fake = Moments.of(draw(n, 1)), Moments.of(draw(n, 0, 0.8, 0.2))
    assert symmetric_distance(real, fake) == pytest.approx(moments_distance(real, fake), rel=1e-6)


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="fake: FD-infinity expects at least 20 images, got 19"):
        fd_infinity(REAL, draw(19, 0), **LINE)


@pytest.mark.parametrize(("n", "scale", "shift"), [(500, 0.7, 0.0), (500, 1.0, 0.3), (30, 1.2, 0.4)])
def test_the_error_is_what_the_distance_moves_by_when_images_are_drawn_again(n, scale, shift):
    values, errors = [], []
    for seed in range(80):
        fake = draw(n, seed, scale, shift)
        moments = Moments.of(fake)
        values.append(moments_distance(REAL, moments))
        errors.append(frechet_error(REAL, moments, fake))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)


def test_the_influence_is_the_derivative():
    """Weight one image up a little: the distance moves by its influence; summed up, that is the error."""
    fake = draw(60, 0, 0.8, 0.2).double()
    base, step, pulls = Moments.of(fake), 1e-5, []
    for i in range(len(fake)):
        weights = torch.full((60,), (1 - step) / 60, dtype=torch.float64)
        weights[i] += step
        mean = weights @ fake
        # The unbiased factor, so that equal weights give the moments above.
        covariance = (fake.T * weights) @ fake - torch.outer(mean, mean)
        moved = Moments(mean, covariance * 60 / 59)
        pulls.append((moments_distance(REAL, moved) - moments_distance(REAL, base)) / step)
    assert frechet_error(REAL, base, fake) == pytest.approx(np.std(pulls, ddof=1) / np.sqrt(60), rel=0.02)


def test_chunks_change_nothing(monkeypatch):
    fake = draw(100, 0, 0.9)
    whole = frechet_error(REAL, Moments.of(fake), fake)
    monkeypatch.setattr("ganvas.metrics.frechet._ROWS", 7)
    assert frechet_error(REAL, Moments.of(fake), fake) == pytest.approx(whole, rel=1e-9)


def test_equal_images_have_a_distance_and_no_error():
    fake = torch.ones(10, D)
    moments = Moments.of(fake)
    # Nothing is spread: the distance is that of the means and the reference's own variance.
    assert moments_distance(REAL, moments) == pytest.approx(D + float(SCALES.square().sum()), rel=1e-6)
    assert frechet_error(REAL, moments, fake) == pytest.approx(0.0, abs=1e-9)
    equal = Moments.of(torch.zeros(10, D))
    assert moments_distance(equal, moments) == pytest.approx(D) and np.isfinite(frechet_error(equal, moments, fake))
