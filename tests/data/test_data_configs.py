"""Every config of the groups data and transform builds the source it names."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from ganvas.config import build, register
from ganvas.data import Source, Transform
from ganvas.scoring import references  # noqa: F401  registers the resolver of data=npz

from ..factor_files import dsprites, shapes3d

CONF = Path(__file__).resolve().parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
PUBLISHED = {"dsprites": dsprites, "shapes3d": lambda path: shapes3d(path, memory_limit_gb=1.0)}
SHAPES = {"folder": (3, 64, 64), "npz": (3, 6, 5), "celeba": (3, 64, 64), "cifar10": (3, 32, 32), "svhn": (3, 32, 32)}
SHAPES |= {"stacked_mnist": (3, 28, 28)} | dict.fromkeys(("ring", "grid", "swiss_roll"), (2,))
SHAPES |= {"sprites": (1, 64, 64), "dsprites": (1, 5, 7), "shapes3d": (3, 6, 4)}


def _compose(group, name, tmp_path, *overrides):
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"{group}={name}", f"paths.data={tmp_path}", *overrides])
    return build(cfg[group])


def _path(name, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((5, 6, 5, 3), dtype=np.uint8))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    if name in PUBLISHED:  # small files stand for the published ones
        source = PUBLISHED[name](tmp_path)
        changes = {"path": source.path, "shape": f"[{','.join(map(str, source.shape))}]", "val": 11, "test": 13}
        return [f"data.{key}={value}" for key, value in changes.items()]
    return {"npz": [f"data.path={tmp_path}/a.npz"], "folder": [f"data.path={tmp_path}"]}.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_data_config(name, tmp_path):
    source = _compose("data", name, tmp_path, *_path(name, tmp_path))
    assert isinstance(source, Source)
    assert source.name == name and source.shape == SHAPES.get(name, (1, 28, 28))


def test_one_word_changes_the_size_of_sprites_and_others_their_numbers(tmp_path):
    small = ["size=32", "scales=2", "rotations=3", "xs=4", "ys=5", "val=10", "test=20", "smooth=true"]
    source = _compose("data", "sprites", tmp_path, *(f"data.{word}" for word in small))
    assert source.shape == (1, 32, 32) and [factor.values for factor in source.factors] == [3, 2, 3, 4, 5]
    assert [len(source.load(split)) for split in source.splits] == [330, 10, 20]


def test_one_word_changes_the_folders_size(tmp_path):
    source = _compose("data", "folder", tmp_path, f"data.path={tmp_path}", "data.size=16", "data.channels=1")
    assert source.shape == (1, 16, 16)


def test_stacked_mnist_on_the_embedded_digits(tmp_path):
    source = _compose("data", "stacked_mnist", tmp_path, "data@data.digits=mnist5k", "data.train=20")
    assert len(source.load("train")) == 20


def test_few_of_another_data_set(tmp_path):
    overrides = ["data@data.source=npz", f"data.source.{_path('npz', tmp_path)[0][5:]}", "data.train=2"]
    source = _compose("data", "few", tmp_path, *overrides)
    assert source.shape == (3, 6, 5) and len(source.load("train")) == 2


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "transform").glob("*.yaml")))
def test_transform_config(name, tmp_path):
    assert isinstance(_compose("transform", name, tmp_path), Transform)
