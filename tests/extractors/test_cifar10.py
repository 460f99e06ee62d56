"""The embedded classifier of colour images: its accuracy on test images, and how its distance orders damage."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.extractors.cifar10 import Cifar10Extractor
from ganvas.extractors.features import extract
from ganvas.metrics.frechet import frechet_distance

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_colour_extractor.py"
DATA = Path(os.environ.get("GANVAS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "cifar10"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_colour_extractor", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def extractor():
    return Cifar10Extractor()


@pytest.fixture(scope="module")
def test_images():
    """The first 1,000 test images, 40 in a row of one picture, and their labels."""
    if not (DATA / "test.webp").is_file():
        pytest.skip(f"no test.webp and labels.npz under {DATA}; set GANVAS_TEST_DATA to the folder above it")
    sheet = torch.from_numpy(np.asarray(Image.open(DATA / "test.webp").convert("RGB")).copy())
    images = sheet.view(25, 32, 40, 32, 3).permute(0, 2, 4, 1, 3).reshape(1000, 3, 32, 32)
    return images, torch.from_numpy(np.load(DATA / "labels.npz")["test"]).long()


@pytest.fixture(scope="module")
def real(extractor, test_images):
    return extract(extractor, test_images[0], 250)


def test_accuracy_on_test_images(real, test_images):
    assert (real.logits.argmax(1) == test_images[1]).double().mean() == pytest.approx(0.918, abs=0.002)


def test_distance_orders_damage(extractor, real, test_images):
    """Floor < mild noise < strong noise < uniform noise, and missing classes are seen."""
    images, labels = test_images[0][700:], test_images[1][700:]
    reference, held = real.values[:700], real.values[700:]
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=g)

    def fd(fakes):
        return frechet_distance(reference, extract(extractor, fakes, 250).values)

    mild, strong = ((images + sd * noise).clamp(0, 255).to(torch.uint8) for sd in (10, 25))
    uniform = torch.randint(0, 256, images.shape, generator=g).to(torch.uint8)
    floor, missing = frechet_distance(reference, held), frechet_distance(reference, held[labels > 2])
    assert floor < fd(mild) < fd(strong) < fd(uniform)
    assert 1.5 * floor < missing < fd(uniform)


def test_the_last_500_images_of_each_class_are_held_out_of_the_training(script):
    labels = torch.arange(10).repeat(510)
    index = torch.arange(len(labels))
    (seen, _), (held, held_labels) = script.hold_out(index, labels)
    assert held.tolist() == index[100:].tolist() and seen.tolist() == index[:100].tolist()
    assert held_labels.bincount().tolist() == [500] * 10
