"""Feature extractors: networks from images to features; each states its preprocessing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganvas.extractors.base import Extractor as Extractor
    from ganvas.extractors.cifar10 import Cifar10Extractor as Cifar10Extractor
    from ganvas.extractors.custom import CustomExtractor as CustomExtractor
    from ganvas.extractors.data2vec import Data2vecExtractor as Data2vecExtractor
    from ganvas.extractors.features import Features as Features
    from ganvas.extractors.features import extract as extract
    from ganvas.extractors.fidelity import FidelityExtractor as FidelityExtractor
    from ganvas.extractors.inception import InceptionExtractor as InceptionExtractor
    from ganvas.extractors.inception_spatial import InceptionSpatialExtractor as InceptionSpatialExtractor
    from ganvas.extractors.mnist import MnistExtractor as MnistExtractor
    from ganvas.extractors.random_features import RandomFeatures as RandomFeatures
    from ganvas.extractors.resnet50 import ResNet50Extractor as ResNet50Extractor
    from ganvas.extractors.timm_backbone import TimmExtractor as TimmExtractor

_PLACES = {
    "Cifar10Extractor": "ganvas.extractors.cifar10",
    "CustomExtractor": "ganvas.extractors.custom",
    "Data2vecExtractor": "ganvas.extractors.data2vec",
    "Extractor": "ganvas.extractors.base",
    "Features": "ganvas.extractors.features",
    "FidelityExtractor": "ganvas.extractors.fidelity",
    "InceptionExtractor": "ganvas.extractors.inception",
    "InceptionSpatialExtractor": "ganvas.extractors.inception_spatial",
    "MnistExtractor": "ganvas.extractors.mnist",
    "RandomFeatures": "ganvas.extractors.random_features",
    "ResNet50Extractor": "ganvas.extractors.resnet50",
    "TimmExtractor": "ganvas.extractors.timm_backbone",
    "extract": "ganvas.extractors.features",
}
"""Exports, imported at the first access; a config names an export, not its file, so the file can move."""

__all__ = [
    "Cifar10Extractor",
    "CustomExtractor",
    "Data2vecExtractor",
    "Extractor",
    "Features",
    "FidelityExtractor",
    "InceptionExtractor",
    "InceptionSpatialExtractor",
    "MnistExtractor",
    "RandomFeatures",
    "ResNet50Extractor",
    "TimmExtractor",
    "extract",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
