"""What a format of files of reference statistics is: how one knows it, reads it and writes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.extractors.features import Features
from ganvas.metrics.comparison import moments_of


@dataclass(frozen=True)
class Held:
    """What a file holds of its images; None where it says nothing.

    Args:
        features: one row for each image, ``(n, d)``; or else
        mu: mean ``(d,)``, and
        sigma: unbiased covariance ``(d, d)``.
        n: number of images.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
        preprocessing: the extractor's description of its preprocessing.
    """

    features: np.ndarray | None = None
    mu: np.ndarray | None = None
    sigma: np.ndarray | None = None
    n: int | None = None
    extractor: str | None = None
    weights_hash: str | None = None
    preprocessing: str | None = None


@dataclass(frozen=True)
class Exported:
    """What is written.

    Args:
        features: features of at least 2 images.
        preprocessing: the extractor's description of its preprocessing.
        images: content fingerprint of the images.
    """

    features: Features
    preprocessing: str
    images: str

    @property
    def mu(self) -> np.ndarray:
        """Mean, float64 ``(d,)``."""
        return moments_of(self.features).mean.numpy()

    @property
    def sigma(self) -> np.ndarray:
        """Unbiased covariance, float64 ``(d, d)``."""
        return moments_of(self.features).covariance.numpy()


class Format(ABC):
    """A format of files of statistics.

    Attributes:
        name: what ``export_format`` calls it.
        pattern: names of files that are written in this format without ``export_format``; of two patterns that fit, the
            longer one counts.
        preprocessing: by name of the extractor, what the tool does to images, where it does nothing else.
    """

    name: str
    pattern: str
    preprocessing: Mapping[str, str]

    @property
    def suffix(self) -> str:
        """Ending of the files' names."""
        return Path(self.pattern).suffix

    @abstractmethod
    def holds(self, keys: Set[str]) -> bool:
        """Tell whether a file of this ending with these keys has this format."""

    @abstractmethod
    def read(self, found: Mapping[str, Any], extractor: str) -> Held:
        """Take out what the file holds for an extractor.

        Args:
            found: content of the file by key.
            extractor: name of the extractor.

        Raises:
            KeyError: the file lacks a part of what it should hold.
            ValueError: the file holds nothing for this extractor.
        """

    @abstractmethod
    def write(self, made: Exported) -> bytes:
        """Make the content of a file.

        Raises:
            ValueError: the tool has no such extractor.
        """
