"""Data: named sources, their splits and fingerprints, transforms, and the order in which training sees them."""

from __future__ import annotations

from ganvas.data.batches import Batches
from ganvas.data.datamodule import DataModule
from ganvas.data.source import SPLITS, DataError, Examples, Source, TensorExamples
from ganvas.data.transforms import Transform

__all__ = ["SPLITS", "Batches", "DataError", "DataModule", "Examples", "Source", "TensorExamples", "Transform"]
