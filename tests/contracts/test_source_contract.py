"""What every source promises, over all that can be built without a network."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data import SPLITS
from ganvas.data.sources.densities import SwissRoll, grid, ring
from ganvas.data.sources.density_source import DensitySource
from ganvas.data.sources.few import Few
from ganvas.data.sources.folder import ImageFolder
from ganvas.data.sources.mnist5k import Mnist5k
from ganvas.data.sources.npz import NpzImages
from ganvas.data.sources.sprites import Sprites
from ganvas.data.sources.stacked_mnist import StackedMnist
from ganvas.data.sources.torchvision import Mnist
from ganvas.testing import SourceContract

from ..factor_files import dsprites, shapes3d


def _pictures(n, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (n, 12, 12, 3)).astype(np.uint8)


def _mnist5k(_):
    return Mnist5k("mnist5k", [1, 28, 28], val=500, test=1000)


def _stacked(_):
    return StackedMnist("stacked", [3, 28, 28], _mnist5k(_), train=700, val=100, test=200, seed=0)


def _density(density):
    return lambda _: DensitySource("density", [2], density, train=500, val=60, test=70, seed=0)


def _tree(path):
    for i, picture in enumerate(_pictures(40)):
        file = path / "tree" / f"{i % 3}" / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
    return path / "tree"


def _flat(path):
    for i, picture in enumerate(_pictures(40)):
        (path / "flat").mkdir(exist_ok=True)
        Image.fromarray(picture).save(path / "flat" / f"{i}.png")
    return path / "flat"


def _folder(memory_limit_gb):
    return lambda path: ImageFolder(
        "folder", [3, 8, 8], str(_tree(path)), 8, 3, "center_crop", 0.2, 0.2, False, memory_limit_gb
    )


def _npz(path, **arrays):
    np.savez(path / "images.npz", images=_pictures(50), **arrays)
    return NpzImages("npz", [3, 12, 12], str(path / "images.npz"), val=7, test=9)


def _sprites(smooth):
    counts = {"scales": 2, "rotations": 3, "xs": 4, "ys": 1}
    fixed = {"size": 24, "smallest": 0.5, "turn": 90.0, "radius": 0.25, "val": 9, "test": 10}
    return lambda _: Sprites("sprites", [1, 24, 24], shapes=["square", "heart"], smooth=smooth, **counts, **fixed)


def _mnist(path):
    raw = path / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(0)
    for part, n in (("train", 60), ("t10k", 20)):
        images = random.randint(0, 256, (n, 28, 28)).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", (np.arange(n) % 10).astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">i4").tobytes()
            (raw / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return Mnist("mnist", [1, 28, 28], str(path), val=10)


BUILD = {
    "mnist5k": _mnist5k,
    "stacked_mnist": _stacked,
    "ring": _density(ring(8, 2.0, 0.02, 1.414)),
    "grid": _density(grid(5, 2.0, 0.05, 2.828)),
    "swiss_roll": _density(SwissRoll(0.25, 7.5)),
    "folder": _folder(1.0),
    "folder_streamed": _folder(0.0),
    "folder_without_classes": lambda path: ImageFolder(
        "folder", [3, 8, 8], str(_flat(path)), 8, 3, "center_crop", 0.2, 0.2, False, 1.0
    ),
    "npz": _npz,
    "npz_labelled": lambda path: _npz(path, labels=np.arange(50) % 7),
    "mnist": _mnist,
    "few": lambda path: Few("few", [3, 12, 12], _npz(path, labels=np.arange(50) % 7), train=14),
    "sprites": _sprites(smooth=False),
    "sprites_smooth": _sprites(smooth=True),
    "sprites_few": lambda path: Few("few", [1, 24, 24], _sprites(smooth=True)(path), train=20),
    "dsprites": dsprites,
    "shapes3d": lambda path: shapes3d(path, memory_limit_gb=1.0),
    "shapes3d_streamed": lambda path: shapes3d(path, memory_limit_gb=0.0),
}
CLASSES = {
    "mnist5k": 10,
    "stacked_mnist": 1000,
    "ring": 8,
    "grid": 25,
    "folder": 3,
    "folder_streamed": 3,
    "npz_labelled": 7,
    "mnist": 10,
    "few": 7,
    **dict.fromkeys(("sprites", "sprites_smooth", "sprites_few"), 2),
    "dsprites": 3,
    **dict.fromkeys(("shapes3d", "shapes3d_streamed"), 4),
}
FACTORS = {
    **dict.fromkeys(("sprites", "sprites_smooth", "sprites_few"), {"shape": 2, "scale": 2, "rotation": 3, "x": 4}),
    "dsprites": {"shape": 3, "scale": 2, "orientation": 4, "posX": 2, "posY": 3},
    **dict.fromkeys(("shapes3d", "shapes3d_streamed"), {"floor_hue": 3, "scale": 2, "shape": 4, "orientation": 5}),
}


class TestSource(SourceContract):
    @pytest.fixture(params=BUILD)
    def build(self, request, tmp_path):
        return lambda: BUILD[request.param](tmp_path)

    def test_has_all_three_splits(self, build):
        assert build().splits == SPLITS

    @pytest.mark.parametrize("name", BUILD)
    def test_names_as_many_classes_as_there_are(self, name, tmp_path):
        source = BUILD[name](tmp_path)
        assert (None if source.classes is None else len(set(source.classes))) == CLASSES.get(name)

    @pytest.mark.parametrize("name", BUILD)
    def test_states_the_factors_that_are_known(self, name, tmp_path):
        stated = BUILD[name](tmp_path).factors
        assert (None if stated is None else {f.name: f.values for f in stated}) == FACTORS.get(name)
        assert all(f.ordered == (f.name != "shape") for f in stated or ())


@pytest.mark.parametrize("split", SPLITS)
def test_labels_do_not_depend_on_the_memory_limit(tmp_path, split):
    held, streamed = (_folder(limit)(tmp_path).load(split) for limit in (1.0, 0.0))
    assert held.in_memory and not streamed.in_memory
    assert held.labels.dtype == torch.int64 and held.labels.equal(streamed.labels)
