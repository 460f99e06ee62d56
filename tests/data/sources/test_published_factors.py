"""Files in the form of dSprites and 3D Shapes: images, factors and classes of each row, and what is refused."""

import sys

import numpy as np
import pytest
import torch

from ganvas.data.source import DataError
from ganvas.data.sources.dsprites import DSprites
from ganvas.data.sources.shapes3d import Shapes3D

from ...factor_files import dsprites, dsprites_arrays, shapes3d, shapes3d_arrays


def rows(source):
    """Images, factors and classes of all splits together."""
    loaded = [source.load(split) for split in source.splits]
    images = torch.cat([examples.batch(torch.arange(len(examples))) for examples in loaded])
    return images, torch.cat([e.factors for e in loaded]), torch.cat([e.labels for e in loaded])


def test_each_row_of_dsprites_has_its_factors(tmp_path):
    source = dsprites(tmp_path)
    arrays = dsprites_arrays()
    images, factors, labels = rows(source)
    assert set(images.unique().tolist()) == {0, 255} and len(images) == 144
    place = {image.tobytes(): number for number, image in enumerate(arrays["imgs"] * np.uint8(255))}
    for image, values, label in zip(images, factors, labels, strict=True):
        truth = arrays["latents_classes"][place[image[0].numpy().tobytes()]]
        assert values.tolist() == truth[1:].tolist() and int(label) == truth[1]
    assert [len(source.load(split)) for split in source.splits] == [120, 11, 13]


def test_dsprites_are_kept_as_bits(tmp_path):
    examples = dsprites(tmp_path).load("train")
    assert examples.bits.shape == (144, 5) and examples.in_memory  # 35 pixels in 5 bytes
    assert examples.batch(torch.tensor([3, 3, 0])).shape == (3, 1, 5, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgs": np.full((144, 5, 7), 2, np.uint8)}, "imgs up to 2, expected 0 and 1"),
        ({"imgs": np.zeros((144, 5, 7), np.float32)}, "float32"),
        ({"imgs": np.zeros((144, 5, 7, 3), np.uint8)}, r"shape \(144, 5, 7, 3\), expected uint8 \(n, h, w\)"),
        ({"latents_classes": np.zeros((144, 5), int)}, r"\(144, 5\), expected whole numbers \(144, 6\)"),
        ({"latents_classes": np.full((144, 6), 3)}, "more shapes than square, ellipse, heart"),
        ({"latents_classes": None}, "holds imgs.npy, latents_values.npy, expected .* or write data=npz"),
    ],
)
def test_another_file_is_not_taken_for_dsprites(tmp_path, changes, message):
    arrays = {**dsprites_arrays(), **changes}
    np.savez(tmp_path / "a.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError, match=message):
        DSprites("dsprites", [1, 5, 7], str(tmp_path / "a.npz"), 0, 0).load("train")


def test_a_file_of_dsprites_that_is_not_there_or_of_another_size(tmp_path):
    with pytest.raises(DataError, match="no such file; set data.path to the .npz file of dSprites"):
        DSprites("dsprites", [1, 5, 7], str(tmp_path / "a.npz"), 0, 0)
    (tmp_path / "b.npz").write_bytes(b"text")
    with pytest.raises(DataError, match="no .npz file"):
        DSprites("dsprites", [1, 5, 7], str(tmp_path / "b.npz"), 0, 0)
    dsprites(tmp_path)
    with pytest.raises(DataError, match=r"shape=\[1, 64, 64\].*\[1, 5, 7\]"):
        DSprites("dsprites", [1, 64, 64], str(tmp_path / "dsprites.npz"), 0, 0)


def test_a_file_of_dsprites_that_is_cut_off_is_named(tmp_path):
    path = tmp_path / "dsprites.npz"
    np.savez(path, **dsprites_arrays())
    source = DSprites("dsprites", [1, 5, 7], str(path), 0, 0)
    content = bytearray(path.read_bytes())
    middle = content.find(b"imgs.npy") + 400
    content[middle : middle + 8] = b"\1\0\1\0\1\0\1\0"  # another content: its checksum is wrong
    path.write_bytes(content)
    with pytest.raises(DataError, match="corrupt .npz file .* download it again"):
        source.load("train")


@pytest.mark.parametrize("memory_limit_gb", [1.0, 0.0])
def test_each_row_of_3d_shapes_has_its_factors(tmp_path, memory_limit_gb):
    source, arrays = shapes3d(tmp_path, memory_limit_gb), shapes3d_arrays()
    assert source.load("train").in_memory == (memory_limit_gb > 0)
    images, factors, labels = rows(source)
    numbers = images[:, 0, 2, 1].tolist()
    assert sorted(numbers) == list(range(120)) and (images[:, 2, 2, 1] == 255).all() and images.shape[1:] == (3, 6, 4)
    for number, values, label in zip(numbers, factors.tolist(), labels.tolist(), strict=True):
        floor, _, _, scale, shape, turn = arrays["labels"][number]
        assert values == [round(floor * 10), int(scale > 1), int(shape), round((turn + 30) / 15)]
        assert label == shape


def test_3d_shapes_are_the_same_in_memory_and_on_disk(tmp_path):
    held, read = (shapes3d(tmp_path, limit).load("val") for limit in (1.0, 0.0))
    index = torch.tensor([4, 0, 4, 10])
    assert held.batch(index).equal(read.batch(index)) and held.fingerprint() == read.fingerprint()


def test_splits_of_one_size_have_fingerprints_of_their_own(tmp_path):
    shapes3d(tmp_path, 1.0), dsprites(tmp_path)
    for source in (
        Shapes3D("shapes3d", [3, 6, 4], str(tmp_path / "3dshapes.h5"), val=40, test=40, memory_limit_gb=0.0),
        DSprites("dsprites", [1, 5, 7], str(tmp_path / "dsprites.npz"), val=48, test=48),
    ):
        loaded = [source.load(split) for split in source.splits]
        assert len({len(examples) for examples in loaded}) == 1
        assert len({examples.fingerprint() for examples in loaded}) == 3


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"h5py, which is not installed; pip install 'ganvas\[shapes3d\]'"):
        Shapes3D("shapes3d", [3, 64, 64], str(tmp_path / "3dshapes.h5"), 0, 0, 4.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, "holds images, expected images and labels"),
        ({"images": np.zeros((120, 6, 4), np.uint8)}, r"\(120, 6, 4\), expected uint8 \(n, h, w, 3\)"),
        ({"labels": np.zeros((120, 5))}, r"\(120, 5\), expected \(120, 6\): floor_hue"),
        ({"labels": np.full((120, 6), 4.0)}, "other shapes than 0 to 3"),
    ],
)
def test_another_file_is_not_taken_for_3d_shapes(tmp_path, changes, message):
    h5py = pytest.importorskip("h5py", reason="pip install '.[shapes3d]'")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in {**shapes3d_arrays(), **changes}.items():
            if array is not None:
                file[name] = array
    with pytest.raises(DataError, match=message):
        Shapes3D("shapes3d", [3, 6, 4], str(tmp_path / "a.h5"), 0, 0, 1.0)


def test_a_file_of_3d_shapes_that_is_not_there_or_is_no_hdf5(tmp_path):
    pytest.importorskip("h5py", reason="pip install '.[shapes3d]'")
    (tmp_path / "b.h5").write_bytes(b"text")
    for name in ("a.h5", "b.h5"):
        with pytest.raises(DataError, match=f"{name}: cannot be read .* set data.path to 3dshapes.h5"):
            Shapes3D("shapes3d", [3, 6, 4], str(tmp_path / name), 0, 0, 1.0)
