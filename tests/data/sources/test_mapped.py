"""Images of large array files: read from the file, with the same bits and the same fingerprint as in memory."""

import pickle

import numpy as np
import pytest
import torch

from ganvas.data.source import DataError, TensorExamples
from ganvas.data.sources import mapped
from ganvas.data.sources.mapped import MappedExamples, open_images
from ganvas.data.sources.npz import read_images


def write(path, images, how):
    if how == "npy":
        np.save(path, images)
    elif how == "fortran":
        np.save(path, np.asfortranarray(images))
    else:
        save = np.savez_compressed if how == "compressed" else np.savez
        save(path, labels=np.zeros(len(images), int), images=images)


@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("how", ["npy", "fortran", "stored", "compressed"])
def test_mapped_images_are_those_in_memory(tmp_path, monkeypatch, how, channels):
    shape = (7, 4, 5) if channels is None else (7, 4, 5, channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / ("a.npy" if how in ("npy", "fortran") else "a.npz")
    write(path, images, how)
    expected = TensorExamples(torch.from_numpy(read_images(path)))
    assert isinstance(open_images(path), TensorExamples)
    monkeypatch.setattr(mapped, "HELD_GB", 0)
    found = open_images(path)
    assert isinstance(found, MappedExamples) and len(found) == 7 and found.shape == expected.shape
    index = torch.tensor([5, 0, 5, 2])
    sent = pickle.loads(pickle.dumps(found))
    assert torch.equal(found.batch(index), expected.batch(index)) and torch.equal(sent.batch(index), found.batch(index))
    assert found.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("how", ["npy", "stored", "compressed"])
def test_a_file_that_ends_early_is_refused(tmp_path, monkeypatch, how):
    path = tmp_path / ("a.npy" if how == "npy" else "a.npz")
    write(path, np.random.default_rng(0).integers(0, 256, (9, 40, 50), dtype=np.uint8), how)
    monkeypatch.setattr(mapped, "HELD_GB", 0)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match=r"a\.np"):
        open_images(path)
