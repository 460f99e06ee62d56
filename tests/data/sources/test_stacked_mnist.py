"""Three digits in three channels."""

import pytest
import torch

from ganvas.data.source import DataError
from ganvas.data.sources.densities import ring
from ganvas.data.sources.density_source import DensitySource
from ganvas.data.sources.mnist5k import Mnist5k
from ganvas.data.sources.stacked_mnist import StackedMnist


def _source(seed=0, train=3000):
    return StackedMnist("stacked", [3, 28, 28], Mnist5k("m", [1, 28, 28], 500, 1000), train, 0, 400, seed)


def test_channels_are_digits_and_the_label_is_their_number():
    source = _source()
    digits = source.digits.load("train")
    label = {image.numpy().tobytes(): int(digit) for image, digit in zip(digits.data, digits.labels, strict=True)}
    stacked = source.load("train")
    for image, mode in zip(stacked.batch(torch.arange(50)), stacked.labels[:50].tolist(), strict=True):
        assert [label[channel[None].numpy().tobytes()] for channel in image] == [
            mode // 100,
            mode // 10 % 10,
            mode % 10,
        ]


def test_modes_are_about_equally_likely():
    modes = torch.bincount(_source(train=100_000).load("train").labels, minlength=1000)
    chi2 = ((modes - 100.0) ** 2 / 100).sum()
    assert chi2 == pytest.approx(999, abs=5 * (2 * 999) ** 0.5)


def test_composition_is_a_function_of_the_seed():
    assert _source(0).load("test").fingerprint() == _source(0, train=10).load("test").fingerprint()
    assert _source(0).load("test").fingerprint() != _source(1).load("test").fingerprint()


def test_needs_labelled_grey_images():
    points = DensitySource("ring", [2], ring(8, 1.0, 0.1, 1.0), 10, 0, 0, 0)
    with pytest.raises(DataError):
        StackedMnist("stacked", [3, 28, 28], points, 10, 0, 0, 0)
    with pytest.raises(DataError, match="train=0"):
        _source(train=0)
