"""The number of classes comes from the data, before anything is built; hashes do not depend on it."""

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from PIL import Image

from ganvas.cli import main
from ganvas.config import ConfigError, build
from ganvas.data import DataModule
from ganvas.run.classes import fill_classes
from ganvas.run.identity import configuration_hash, job_hash


def composed(*line):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return compose("train", [*line, "paths.output=out"])


def data_of(cfg):
    return DataModule(build(cfg.data), build(cfg.transform), 2, 0, 0)


def filled(*line):
    cfg = composed(*line)
    fill_classes(cfg, data_of(cfg))
    return cfg


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """The same images as an array with labels, and as folders that are classes."""
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    array, labels = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.arange(12) % 3
    np.savez(root / "images.npz", images=array, labels=labels)
    for number, (image, label) in enumerate(zip(array, labels, strict=True)):
        (root / "folder" / "train" / "cdb"[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / "folder" / "train" / "cdb"[label] / f"{number}.png")
    return root


@pytest.mark.parametrize("model", ["cgan", "projection_gan"])
def test_a_model_gets_the_classes_of_the_data(model):
    cfg = filled(f"model={model}")
    assert cfg.classes == 10 and build(cfg.model).classes == 10


@pytest.mark.parametrize(
    "line", [["data=npz", "data.path={}/images.npz", "data.shape=[3,8,8]"], ["data=folder", "data.path={}/folder"]]
)
def test_own_images_bring_their_classes(images, line):
    size = ["data.size=8"] if line[0] == "data=folder" else []
    where = [word.format(images) for word in line]
    assert filled("model=projection_gan", *where, *size).classes == 3


def test_a_plain_model_asks_for_no_classes():
    assert filled("model=gan").classes is None


def test_a_given_number_stays():
    assert filled("model=cgan", "classes=12").classes == 12


def test_data_without_labels_are_refused():
    with pytest.raises(ConfigError, match="conditional on classes, data=swiss_roll has no labels; choose a data set"):
        filled("model=cgan", "data=swiss_roll")


@pytest.mark.parametrize("model", ["cgan", "projection_gan", "gan"])
def test_a_config_has_one_hash_before_and_after_its_data_are_read(model):
    """A sweep looks for its trainings by the hash of a config that no data were read for."""
    before, cfg = composed(f"model={model}"), filled(f"model={model}")
    recorded = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    assert job_hash(before) == job_hash(cfg) == job_hash(recorded)
    assert configuration_hash(before) == configuration_hash(recorded)


def test_a_hash_still_tells_conditional_trainings_apart():
    hashes = {
        job_hash(composed(*line))
        for line in (
            ["model=cgan"],
            ["model=cgan", "prior.dim=9"],
            ["model=cgan", "network.generator.channels=[8,8]"],
            ["model=projection_gan"],
            ["model=projection_gan", "network.generator.channels=[8,8]"],
        )
    }
    assert len(hashes) == 5


@pytest.mark.parametrize(
    "changed", ["dcgan network.conditional_generator.channels=[1,1]", "r3gan network.conditional_critic.blocks=3"]
)
def test_conditional_networks_are_not_part_of_a_plain_training(changed):
    network, number = changed.split()
    plain, other = (composed("model=gan", f"network={network}", *more) for more in ([], [number]))
    assert job_hash(plain) == job_hash(other)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["model=cgan", "data=swiss_roll"], "data=swiss_roll has no labels"),
        (["model=projection_gan", "network=mlp", "classes=4"], "conditional on 4 classes, data=mnist5k has 10"),
    ],
)
def test_the_command_line_refuses_before_the_first_step(store, capfd, line, said):
    assert main(["train", *line, "paths.output=out"]) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert said in error[-1] and "Traceback" not in "".join(error) and not (store / "out" / "last.ckpt").exists()
