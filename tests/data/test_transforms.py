"""Binarisation: the right probabilities, fresh or fixed as named."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from ganvas.data.seeding import stream
from ganvas.data.source import DataError
from ganvas.data.transforms import DynamicBinarisation, FixedBinarisation, Identity, counter_uniform
from ganvas.types import to_float

GREY = to_float(torch.arange(0, 256, 5, dtype=torch.uint8).reshape(1, 1, 4, 13))


def _pixels(n):
    return GREY.expand(n, -1, -1, -1), torch.arange(n)


@pytest.mark.parametrize("transform", [DynamicBinarisation(), FixedBinarisation(0)])
def test_mean_converges_to_the_pixel(transform):
    x, index = _pixels(20_000)
    out = transform(x, index, stream("test"))
    assert out.dtype == torch.float32 and set(out.unique().tolist()) == {-1.0, 1.0}
    p = (GREY[0] + 1) / 2
    error = (out.mean(0) - GREY[0]).abs()
    assert (error <= 5 * 2 * (p * (1 - p) / 20_000).sqrt()).all()
    assert (out[:, 0, 0, 0] == -1).all() and (out[:, 0, 3, 12] == 1).all()


def test_dynamic_draws_are_fresh_and_a_function_of_the_generator():
    x, index = _pixels(50)
    a, again, other = (DynamicBinarisation()(x, index, stream("t", key)) for key in (0, 0, 1))
    assert a.equal(again) and not a.equal(other)


def test_fixed_draws_follow_the_image_and_not_the_batch():
    x, index = _pixels(50)
    fixed = FixedBinarisation(0)
    whole = fixed(x, index, stream("a"))
    order = torch.randperm(50)
    assert fixed(x[order], order, stream("b")).equal(whole[order])
    assert fixed(x[:1], torch.tensor([7]), stream("c"))[0].equal(whole[7])
    assert not whole[0].equal(whole[1])
    assert not FixedBinarisation(1)(x, index, stream("a")).equal(whole)


def test_fixed_draws_of_neighbouring_images_share_nothing():
    x, index = torch.zeros(100, 1, 20, 20), torch.arange(100)
    rows = FixedBinarisation(0)(x, index, stream("a")).flatten(1)
    for shift in range(4):
        agreement = (rows[:-1, shift:] * rows[1:, : 400 - shift]).mean()
        assert abs(agreement) < 5 / (99 * 396) ** 0.5


def test_counter_draws_are_uniform_and_uncorrelated():
    u = counter_uniform(np.uint64(0), np.arange(100_000, dtype=np.uint64)).astype(np.float64)
    assert kstest(u, "uniform").pvalue > 1e-3
    for lag in (1, 2, 784):
        assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 5 / np.sqrt(len(u))
    assert u.min() >= 0 and u.max() < 1


def test_counter_draws_are_splitmix64():
    # First outputs of the reference implementation from state 1234567, https://prng.di.unimi.it/splitmix64.c
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    u = counter_uniform(np.uint64(1234567), np.arange(3, dtype=np.uint64))
    np.testing.assert_array_equal(u, np.array([v >> 40 for v in expected]) / 2**24)


def test_identity_and_points():
    x, index = _pixels(3)
    assert Identity()(x, index, stream("a")) is x
    Identity().check((2,))
    for transform in (DynamicBinarisation(), FixedBinarisation(0)):
        with pytest.raises(DataError, match="binarisation: serves images, not points"):
            transform.check((2,))
