"""The pair of feature sets that metrics compare, with shared intermediate results, each computed once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, final

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from ganvas.extractors.features import Features, Remembers
from ganvas.metrics.base import Settings
from ganvas.metrics.frechet import Moments
from ganvas.metrics.neighbours import Membership, Radii, membership, radii
from ganvas.metrics.validation import require_images

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Statistics:
    """Moments of a reference set whose images are not available.

    Args:
        moments: mean and covariance.
        n: images they were computed from, or None if the file does not say.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
    """

    moments: Moments
    n: int | None
    extractor: str
    weights_hash: str

    def fingerprint(self) -> str:
        """SHA-256 of the moments' bytes (float64, little endian); identifies the reference in a protocol."""
        return _sha256(self.moments.mean, self.moments.covariance, number="<f8")


def fingerprint_of(side: Features | Statistics) -> str:
    """SHA-256 of a side whose images are not available; of features, their bytes (float32, little endian)."""
    return side.fingerprint() if isinstance(side, Statistics) else _sha256(side.values, number="<f4")


def _sha256(*tensors: Tensor, number: str) -> str:
    digest = hashlib.sha256()
    for x in tensors:
        digest.update(np.ascontiguousarray(x.numpy(), dtype=number).data)
    return digest.hexdigest()


def moments_of(side: Features | Statistics) -> Moments:
    """Mean and covariance of a side, computed once.

    Args:
        side: features of at least 2 images, finite; or known moments.
    """
    if isinstance(side, Statistics):
        return side.moments
    return side.once("moments", lambda: _moments(side))


def _moments(features: Features) -> Moments:
    require_images("a covariance", 2, features=features.values)
    return Moments.of(features.values)


def squared_radii_of(features: Features, k: int) -> Float64[Tensor, " n"]:
    """Squared distance of each image to its k-th nearest other one, computed once for each k.

    Args:
        features: features of the images, more than k, which keep the radii.
        k: number of the neighbour, at least 1.
    """
    return radii_of(features, k, k).closed


def radii_of(features: Features, prc_neighbours: int, dc_neighbours: int) -> Radii:
    """Radii of the balls around the images, computed once for each pair of k.

    Args:
        features: features of the images, which keep the radii.
        prc_neighbours: k of precision and recall.
        dc_neighbours: k of density and coverage.
    """
    ks = {"prc_neighbours": prc_neighbours, "dc_neighbours": dc_neighbours}
    return features.once(("radii", *ks.values()), lambda: radii(features.values, **ks))


def remember_radii(features: Features, prc_neighbours: int, dc_neighbours: int, known: Radii) -> None:
    """Store radii that :func:`radii_of` computed earlier from the same images.

    Args:
        features: features of the images, which keep the radii.
        prc_neighbours: k of precision and recall.
        dc_neighbours: k of density and coverage.
        known: radii for these two k.
    """
    features.once(("radii", prc_neighbours, dc_neighbours), lambda: known)


@dataclass(frozen=True)
class Comparison(Remembers):
    """Features of reference and generated images by one extractor.

    Args:
        real: features of real images, or only their moments.
        fake: features of generated images, by the same extractor.
        settings: settings of all metrics.
        errors: whether standard errors are read. If not, those that take a share of the time are NaN.

    Raises:
        ValueError: the two sides have different extractors, or images with different numbers of channels.
    """

    real: Features | Statistics
    fake: Features
    settings: Settings
    errors: bool = True

    def __post_init__(self) -> None:
        real, fake = self.real, self.fake
        if (real.extractor, real.weights_hash) != (fake.extractor, fake.weights_hash):
            raise ValueError(
                f"fake: features of extractor '{fake.extractor}' ({fake.weights_hash[:8]}) cannot be scored against "
                f"those of '{real.extractor}' ({real.weights_hash[:8]}); extract both sides with one extractor"
            )
        if isinstance(real, Features) and real.shape and fake.shape and real.shape[0] != fake.shape[0]:
            raise ValueError(
                f"fake: {fake.shape[0]} channels against {real.shape[0]} of the reference; convert one side, "
                "or check that reference and generated images are those you meant"
            )

    def in_memory(self) -> Comparison:
        """Return the pair with the features of both sides in memory, for metrics that do not read them in blocks."""
        if not self.fake.on_disk and not (isinstance(self.real, Features) and self.real.on_disk):
            return self
        real = self.real if isinstance(self.real, Statistics) else self.real.in_memory()
        return self.once("in memory", lambda: Comparison(real, self.fake.in_memory(), self.settings, self.errors))

    def real_features(self, metric: str) -> Features:
        """Return the reference's features, for a metric that needs more than moments.

        Args:
            metric: name of the metric, for the message.

        Raises:
            ValueError: only the moments are known.
        """
        if isinstance(self.real, Statistics):
            raise ValueError(
                f"metrics: '{metric}' needs the reference's features, but the reference is a file of statistics (mean "
                "and covariance); give the images as reference, or ask only for fid, sfid, fd, fd_infinity, is, "
                "is_infinity and vendi"
            )
        return self.real

    def require_moments(self, metric: str) -> None:
        """Check that both sides have a covariance.

        Args:
            metric: name of the metric, for the message.

        Raises:
            ValueError: a side has fewer than 2 images, or features that are not finite; the message names the side.
        """
        sides = {"fake": self.fake.values}
        if isinstance(self.real, Features):
            sides = {"real": self.real.values, **sides}
        require_images(metric, 2, **sides)

    @cached_property
    def moments(self) -> tuple[Moments, Moments]:
        """Moments of the real side and of the fake side."""
        return moments_of(self.real), moments_of(self.fake)

    @cached_property
    def membership(self) -> Membership:
        """Membership of the images in balls; shared by precision, recall, density and coverage."""
        real, s = self.real_features("prdc"), self.settings
        ks = {"prc_neighbours": s.prc_neighbours, "dc_neighbours": s.dc_neighbours}
        least = max(ks.values())
        require_images(f"{least} nearest neighbours", least + 1, real=real.values, fake=self.fake.values)
        known = radii_of(real, **ks)
        return membership(real.values, self.fake.values, **ks, real_radii=known, effects=self.errors)
