"""Some training examples of another data set."""

import pytest
import torch

from ganvas.data.source import DataError
from ganvas.data.sources.few import Few
from ganvas.data.sources.mnist5k import Mnist5k

DIGITS = Mnist5k("m", [1, 28, 28], 500, 1000)


def _few(train):
    return Few("few", [1, 28, 28], DIGITS, train)


def _rows(examples):
    return {image.numpy().tobytes() for image in examples.batch(torch.arange(len(examples)))}


def test_each_class_keeps_its_share_and_only_the_training_split_is_cut():
    few = _few(50)
    assert few.load("train").labels.bincount().tolist() == [5] * 10
    for split in ("val", "test"):
        assert few.load(split).fingerprint() == DIGITS.load(split).fingerprint()


def test_fewer_are_a_part_of_more_and_all_come_from_the_training_split():
    assert _rows(_few(50).load("train")) < _rows(_few(200).load("train")) < _rows(DIGITS.load("train"))


def test_a_number_out_of_range_is_refused():
    with pytest.raises(DataError, match="train=0"):
        _few(0)
    with pytest.raises(DataError, match="train=3500: must be at least 0 and below the 3500 examples"):
        _few(3500).load("train")
