"""torchvision's data sets, from small files in their formats, and the real MNIST where it is at hand."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from ganvas.data.source import DataError
from ganvas.data.sources.celeba import CelebA
from ganvas.data.sources.torchvision import Cifar10, FashionMnist, Kmnist, Mnist, Svhn


def _md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def _idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.tobytes())


def _offline(monkeypatch, message="no route to host"):
    def fail(*args, **kwargs):
        raise OSError(message)

    monkeypatch.setattr("urllib.request.urlopen", fail)


@pytest.mark.parametrize(("kind", "folder"), [(Mnist, "MNIST"), (FashionMnist, "FashionMNIST"), (Kmnist, "KMNIST")])
def test_idx_files_are_read_without_a_network(kind, folder, tmp_path, monkeypatch):
    _offline(monkeypatch)
    images = np.random.RandomState(0).randint(0, 256, (40, 28, 28)).astype(np.uint8)
    labels = (np.arange(40) % 10).astype(np.uint8)
    for part in ("train", "t10k"):
        _idx(tmp_path / folder / "raw" / f"{part}-images-idx3-ubyte", images)
        _idx(tmp_path / folder / "raw" / f"{part}-labels-idx1-ubyte", labels)
    source = kind("x", [1, 28, 28], str(tmp_path), val=10)
    assert source.load("test").data.squeeze(1).equal(torch.from_numpy(images))
    assert torch.bincount(source.load("val").labels).tolist() == [1] * 10
    assert len(source.load("train")) == 30


def test_cifar10_channels_and_labels(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    images = np.random.RandomState(0).randint(0, 256, (20, 3, 32, 32)).astype(np.uint8)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name in names:
        (folder / name).write_bytes(pickle.dumps({"data": images.reshape(20, -1), "labels": list(range(10)) * 2}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [[name, _md5(folder / name)] for name in names[:5]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [[names[5], _md5(folder / names[5])]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": _md5(folder / "batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    source = Cifar10("cifar10", [3, 32, 32], str(tmp_path), val=10)
    assert len(source.load("train")) == 90
    assert source.load("test").data.equal(torch.from_numpy(images))
    assert source.load("val").labels.dtype == torch.int64


def test_svhn_channels_and_labels(tmp_path, monkeypatch):
    from scipy.io import savemat

    images = np.random.RandomState(0).randint(0, 256, (32, 32, 3, 20)).astype(np.uint8)
    for part in ("train", "test"):
        file = tmp_path / f"{part}_32x32.mat"
        savemat(file, {"X": images, "y": (np.arange(20) % 10 + 1)[:, None]})
        monkeypatch.setitem(datasets.SVHN.split_list, part, ["none", file.name, _md5(file)])
    source = Svhn("svhn", [3, 32, 32], str(tmp_path), val=10)
    test = source.load("test")
    assert test.data[4, 1, 2, 3] == int(images[2, 3, 1, 4]) and test.labels.tolist()[9] == 0
    assert len(source.load("train")) == 10


def test_celeba_crop_and_official_splits(tmp_path, monkeypatch):
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, 7)]
    for name in names:
        picture = np.zeros((218, 178, 3), dtype=np.uint8)
        picture[39:179, 19:159] = 200
        Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=100)
    tables = {
        "list_eval_partition.txt": [f"{n} {i // 2}" for i, n in enumerate(names)],
        "identity_CelebA.txt": [f"{n} 1" for n in names],
        "list_bbox_celeba.txt": ["6", "a b", *[f"{n} 1 2" for n in names]],
        "list_landmarks_align_celeba.txt": ["6", "a b", *[f"{n} 1 2" for n in names]],
        "list_attr_celeba.txt": ["6", "a b", *[f"{n} 1 -1" for n in names]],
    }
    for name, lines in tables.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(datasets.CelebA, "file_list", [("", _md5(folder / name), name) for name in tables])
    source = CelebA("celeba", [3, 32, 32], str(tmp_path), crop=140, size=32, memory_limit_gb=1.0)
    for split in ("train", "val", "test"):
        examples = source.load(split)
        assert len(examples) == 2
        assert (examples.batch(torch.arange(2)).int() - 200).abs().max() < 8  # the crop cuts exactly the bright square


def test_failed_download_names_folder_and_fix(tmp_path, monkeypatch):
    _offline(monkeypatch)
    with pytest.raises(DataError, match=rf"mnist: not found in {tmp_path}.*download failed.*paths\.data"):
        Mnist("mnist", [1, 28, 28], str(tmp_path), val=0).load("train")


def test_truncated_file_is_named_as_unreadable(tmp_path, monkeypatch):
    _offline(monkeypatch)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            path = tmp_path / "MNIST" / "raw" / f"{part}-{kind}-ubyte"
            _idx(path, np.zeros((5, 28, 28) if "images" in kind else (5,), dtype=np.uint8))
            path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read.*Delete"):
        Mnist("mnist", [1, 28, 28], str(tmp_path), val=0).load("train")


def test_val_zero_and_bad_arguments(tmp_path):
    assert Mnist("mnist", [1, 28, 28], str(tmp_path), val=0).splits == ("train", "test")
    with pytest.raises(ValueError, match="split='val'"):
        Mnist("mnist", [1, 28, 28], str(tmp_path), val=0).load("val")
    with pytest.raises(DataError, match="val=-1"):
        Mnist("mnist", [1, 28, 28], str(tmp_path), val=-1)
    with pytest.raises(DataError, match="shape="):
        Cifar10("cifar10", [3, 64, 64], str(tmp_path), val=0)
    with pytest.raises(DataError, match="crop=200"):
        CelebA("celeba", [3, 64, 64], str(tmp_path), crop=200, size=64, memory_limit_gb=1.0)


def _real():
    beside = Path(__file__).resolve().parents[3].parent / "shared" / "data"
    return Path(os.environ.get("GANVAS_TEST_DATA", beside))


@pytest.mark.skipif(not (_real() / "MNIST" / "raw").is_dir(), reason="no MNIST at hand")
def test_the_real_mnist():
    source = Mnist("mnist", [1, 28, 28], str(_real()), val=5000)
    train, val, test = map(source.load, ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (55000, 5000, 10000)
    assert train.fingerprint() == "4c6dac45f38a6502af0147960c29ba69507d205dde523b5d33d1d28763146e50"
    assert val.fingerprint() == "e41b920a60a54e199af9b44e491f456a5b08bc17324162c96de65098eb727c6a"
    assert test.fingerprint() == "9632a1d15bb30c605b7238d640ec5fe54523f5e8a2d16f2a9b083f06b1e70422"
    counts = torch.bincount(val.labels) + torch.bincount(train.labels)
    assert (torch.bincount(val.labels) - counts / 12).abs().max() < 1
