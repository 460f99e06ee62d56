"""NumPy files: the header, the layouts, and each bad input's message."""

import zipfile

import numpy as np
import pytest
import torch

from ganvas.data.source import DataError
from ganvas.data.sources.npz import NpzImages, npz_shape

RGB = np.random.RandomState(0).randint(0, 256, (20, 6, 5, 3)).astype(np.uint8)


def _load(path, shape, split="train"):
    return NpzImages("npz", shape, str(path), val=0, test=0).load(split)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("key", ["images", "arr_0", "x", "anything"])
def test_arrays_by_name_or_alone(tmp_path, save, key):
    save(tmp_path / "a.npz", **{key: RGB})
    assert npz_shape(str(tmp_path / "a.npz")) == [3, 6, 5]
    assert _load(tmp_path / "a.npz", [3, 6, 5]).data.equal(torch.from_numpy(RGB).permute(0, 3, 1, 2))


@pytest.mark.parametrize("array", [RGB[..., 0], RGB[..., :1], np.asfortranarray(RGB[..., 0])])
def test_grey_npy(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    assert npz_shape(str(tmp_path / "a.npy")) == [1, 6, 5]
    assert _load(tmp_path / "a.npy", [1, 6, 5]).data[:, 0].equal(torch.from_numpy(RGB[..., 0].copy()))


def test_the_shape_is_read_from_the_header_alone(tmp_path):
    np.save(tmp_path / "a.npy", RGB)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:200])
    assert npz_shape(str(tmp_path / "a.npy")) == [3, 6, 5]
    with pytest.raises(DataError, match=r"a\.npy: corrupt NumPy file"):
        _load(tmp_path / "a.npy", [3, 6, 5])


def test_a_stated_shape_that_is_not_the_files(tmp_path):
    np.save(tmp_path / "a.npy", RGB)
    with pytest.raises(DataError, match=r"shape=\[3, 5, 6\].*\[3, 6, 5\]"):
        _load(tmp_path / "a.npy", [3, 5, 6])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": RGB.astype(np.float32)}, "float32, expected uint8.*astype"),
        ({"images": RGB.astype(np.int64)}, "int64, expected uint8"),
        ({"images": RGB.transpose(0, 3, 1, 2)}, r"\(20, 3, 6, 5\).*transpose\(0, 2, 3, 1\)"),
        ({"images": RGB[:0]}, "at least 1"),
        ({"images": RGB[0, 0]}, r"shape \(5, 3\)"),
        ({"a": RGB, "b": RGB}, "holds the arrays a, b; save the images under one of images, arr_0, x"),
    ],
)
def test_what_is_no_image_array(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=rf"a\.npz: .*{message}"):
        npz_shape(str(tmp_path / "a.npz"))


def test_no_file_or_no_numpy_file(tmp_path):
    with pytest.raises(DataError, match=r"path=.*b\.npz: is missing.*data\.path"):
        npz_shape(str(tmp_path / "b.npz"))
    (tmp_path / "c.npy").write_bytes(b"text")
    with pytest.raises(DataError, match=r"c\.npy: not a NumPy array"):
        npz_shape(str(tmp_path / "c.npy"))
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("notes.txt", "no array")
    with pytest.raises(DataError, match=r"d\.npz: holds the arrays \(none\)"):
        npz_shape(str(tmp_path / "d.npz"))
    np.save(tmp_path / "one.npy", RGB[:1])
    with pytest.raises(DataError, match="val=1: .* 1 examples"):
        NpzImages("npz", [3, 6, 5], str(tmp_path / "one.npy"), val=1, test=0)


def test_splits_partition_the_file(tmp_path):
    np.save(tmp_path / "a.npy", RGB)
    source = NpzImages("npz", [3, 6, 5], str(tmp_path / "a.npy"), val=4, test=5)
    rows = [row.numpy().tobytes() for s in ("train", "val", "test") for row in source.load(s).data]
    assert sorted(rows) == sorted(row.tobytes() for row in RGB.transpose(0, 3, 1, 2))
    assert [len(source.load(s)) for s in ("train", "val", "test")] == [11, 4, 5]


LABELS = np.arange(20) % 3


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32, np.uint64])
@pytest.mark.parametrize("key", ["images", "anything"])
def test_labels_beside_the_images_are_their_classes(tmp_path, dtype, key):
    np.savez(tmp_path / "a.npz", **{key: RGB, "labels": LABELS.astype(dtype)})
    source = NpzImages("npz", [3, 6, 5], str(tmp_path / "a.npz"), val=4, test=5)
    assert source.classes == ("0", "1", "2")
    position = {image.tobytes(): i for i, image in enumerate(RGB.transpose(0, 3, 1, 2))}
    for split in source.splits:
        examples = source.load(split)
        rows = [position[image.numpy().tobytes()] for image in examples.data]
        assert examples.labels.tolist() == LABELS[rows].tolist() and examples.labels.dtype == torch.int64


def test_labels_move_no_split_and_no_fingerprint(tmp_path):
    np.savez(tmp_path / "without.npz", images=RGB)
    np.savez(tmp_path / "with.npz", images=RGB, labels=LABELS)
    sources = [NpzImages("npz", [3, 6, 5], str(tmp_path / f"{name}.npz"), 4, 5) for name in ("without", "with")]
    for split in sources[0].splits:
        plain, labelled = (source.load(split) for source in sources)
        assert plain.labels is None and labelled.labels is not None
        assert plain.data.equal(labelled.data) and plain.fingerprint() == labelled.fingerprint()


def test_an_array_of_images_that_is_called_labels_is_images(tmp_path):
    np.savez(tmp_path / "a.npz", labels=RGB)
    source = NpzImages("npz", [3, 6, 5], str(tmp_path / "a.npz"), 0, 0)
    assert source.classes is None and source.load("train").labels is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:19], r"labels of type int64 and shape \(19,\).*the 20 images, shape \(20,\)"),
        (LABELS[:, None], r"shape \(20, 1\)"),
        (LABELS.astype(float), "type float64"),
        (np.array(["cat"] * 20), "type <U3.*return_inverse"),
        (LABELS - 1, "labels from -1 to 1, expected classes numbered from 0"),
        (LABELS + 10**9, "to 1000000002.*at most 100,000"),
        (np.array([{}] * 20), "the array labels cannot be read"),
    ],
)
def test_bad_labels(tmp_path, labels, message):
    np.savez(tmp_path / "a.npz", images=RGB, labels=labels)
    with pytest.raises(DataError, match=message):
        NpzImages("npz", [3, 6, 5], str(tmp_path / "a.npz"), 0, 0)
