"""Data: named sources, their splits and fingerprints, transforms, and the order in which training sees them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganvas.data.batches import Batches
from ganvas.data.source import SPLITS, DataError, Examples, KnownFactor, Source, TensorExamples
from ganvas.data.transforms import DynamicBinarisation, FixedBinarisation, Identity, Transform

if TYPE_CHECKING:
    from ganvas.data.datamodule import DataModule as DataModule
    from ganvas.data.sources.celeba import CelebA as CelebA
    from ganvas.data.sources.densities import SwissRoll as SwissRoll
    from ganvas.data.sources.densities import grid as grid
    from ganvas.data.sources.densities import ring as ring
    from ganvas.data.sources.density_source import DensitySource as DensitySource
    from ganvas.data.sources.dsprites import DSprites as DSprites
    from ganvas.data.sources.few import Few as Few
    from ganvas.data.sources.folder import ImageFolder as ImageFolder
    from ganvas.data.sources.mnist5k import Mnist5k as Mnist5k
    from ganvas.data.sources.npz import NpzImages as NpzImages
    from ganvas.data.sources.shapes3d import Shapes3D as Shapes3D
    from ganvas.data.sources.sprites import Sprites as Sprites
    from ganvas.data.sources.stacked_mnist import StackedMnist as StackedMnist
    from ganvas.data.sources.torchvision import Cifar10 as Cifar10
    from ganvas.data.sources.torchvision import FashionMnist as FashionMnist
    from ganvas.data.sources.torchvision import Kmnist as Kmnist
    from ganvas.data.sources.torchvision import Mnist as Mnist
    from ganvas.data.sources.torchvision import Svhn as Svhn

_PLACES = {
    "DataModule": "ganvas.data.datamodule",
    "CelebA": "ganvas.data.sources.celeba",
    "Cifar10": "ganvas.data.sources.torchvision",
    "DSprites": "ganvas.data.sources.dsprites",
    "DensitySource": "ganvas.data.sources.density_source",
    "FashionMnist": "ganvas.data.sources.torchvision",
    "Few": "ganvas.data.sources.few",
    "ImageFolder": "ganvas.data.sources.folder",
    "Kmnist": "ganvas.data.sources.torchvision",
    "Mnist": "ganvas.data.sources.torchvision",
    "Mnist5k": "ganvas.data.sources.mnist5k",
    "NpzImages": "ganvas.data.sources.npz",
    "Shapes3D": "ganvas.data.sources.shapes3d",
    "Sprites": "ganvas.data.sources.sprites",
    "StackedMnist": "ganvas.data.sources.stacked_mnist",
    "Svhn": "ganvas.data.sources.torchvision",
    "SwissRoll": "ganvas.data.sources.densities",
    "grid": "ganvas.data.sources.densities",
    "ring": "ganvas.data.sources.densities",
}
"""Exports that are imported when they are first asked for; a config may name each, wherever its file lies."""

__all__ = [
    "Batches",
    "CelebA",
    "Cifar10",
    "DSprites",
    "DataError",
    "DataModule",
    "DensitySource",
    "DynamicBinarisation",
    "Examples",
    "FashionMnist",
    "Few",
    "FixedBinarisation",
    "Identity",
    "ImageFolder",
    "Kmnist",
    "KnownFactor",
    "Mnist",
    "Mnist5k",
    "NpzImages",
    "SPLITS",
    "Shapes3D",
    "Source",
    "Sprites",
    "StackedMnist",
    "Svhn",
    "SwissRoll",
    "TensorExamples",
    "Transform",
    "grid",
    "ring",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
