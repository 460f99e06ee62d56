"""What the metrics of one pair of sets share: each thing is computed when the first metric asks, and once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from ganvas.extractors.features import Features
from ganvas.metrics.base import Settings
from ganvas.metrics.frechet import Moments
from ganvas.metrics.neighbours import Membership, Radii, membership, radii
from ganvas.metrics.validation import require_images


@final
@dataclass(frozen=True)
class Statistics:
    """Moments of a reference set whose images are not at hand.

    Args:
        moments: mean and covariance.
        n: images they were computed from, or None where the file does not say.
        extractor: name of the extractor.
        weights_hash: SHA-256 of its weights.
    """

    moments: Moments
    n: int | None
    extractor: str
    weights_hash: str

    def fingerprint(self) -> str:
        """SHA-256 of the moments' bytes (float64, little endian): what names the reference in a protocol."""
        digest = hashlib.sha256()
        for x in (self.moments.mean, self.moments.covariance):
            digest.update(np.ascontiguousarray(x.numpy(), dtype="<f8").data)
        return digest.hexdigest()


def moments_of(side: Features | Statistics) -> Moments:
    """Mean and covariance of a side, computed once.

    Args:
        side: features, at least 2 images, finite; or moments that are known.
    """
    if isinstance(side, Statistics):
        return side.moments
    return side.once("moments", lambda: _moments(side))


def _moments(features: Features) -> Moments:
    require_images("a covariance", 2, features=features.values)
    return Moments.of(features.values)


def radii_of(features: Features, prc_neighbours: int, dc_neighbours: int) -> Radii:
    """Radii of the images' balls, computed once for each pair of k.

    Args:
        features: of the images.
        prc_neighbours: k of precision and recall.
        dc_neighbours: k of density and coverage.
    """
    ks = {"prc_neighbours": prc_neighbours, "dc_neighbours": dc_neighbours}
    return features.once(("radii", *ks.values()), lambda: radii(features.values, **ks))


def remember_radii(features: Features, prc_neighbours: int, dc_neighbours: int, known: Radii) -> None:
    """Give features what :func:`radii_of` found of the same images before.

    Args:
        features: of the images.
        prc_neighbours: k of precision and recall.
        dc_neighbours: k of density and coverage.
        known: radii for these.
    """
    features.once(("radii", prc_neighbours, dc_neighbours), lambda: known)


@dataclass(frozen=True)
class Comparison:
    """Reference and generated images, by one extractor.

    Args:
        real: features of real images, or moments of theirs only.
        fake: features of generated images, by the same extractor.
        settings: of the metrics.

    Raises:
        ValueError: two extractors, or images with different numbers of channels.
    """

    real: Features | Statistics
    fake: Features
    settings: Settings

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

    def real_features(self, metric: str) -> Features:
        """Features of the reference, for a metric that moments do not suffice for.

        Args:
            metric: name of the metric.

        Raises:
            ValueError: there are moments only.
        """
        if isinstance(self.real, Statistics):
            raise ValueError(
                f"metrics: '{metric}' needs the reference's features, but the reference is a file of statistics (mean "
                "and covariance); give the images as reference, or ask for fid, fd, fd_infinity and is only"
            )
        return self.real

    def require_moments(self, metric: str) -> None:
        """Refuse sides that have no covariance, naming the side.

        Args:
            metric: how the message names the metric.

        Raises:
            ValueError: fewer than 2 images, or features that are not finite.
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
        """Who lies in whose ball: shared by precision, recall, density and coverage."""
        real, s = self.real_features("prdc"), self.settings
        ks = {"prc_neighbours": s.prc_neighbours, "dc_neighbours": s.dc_neighbours}
        least = max(ks.values())
        require_images(f"{least} nearest neighbours", least + 1, real=real.values, fake=self.fake.values)
        return membership(real.values, self.fake.values, **ks, real_radii=radii_of(real, **ks))
