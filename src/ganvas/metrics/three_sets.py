"""Features of training images, held-out images and samples, for metrics that tell new images from copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from ganvas.extractors.features import Features
from ganvas.metrics.base import Material
from ganvas.metrics.labels import read_by


@final
@dataclass(frozen=True, eq=False)
class ThreeSets:
    """Features of three sets of images by one extractor.

    Args:
        train: all images that the model was trained on.
        held_out: real images that it was not trained on.
        fake: the samples.
        conditions: what a score of them depends on, besides the common conditions.
    """

    train: Features
    held_out: Features
    fake: Features
    conditions: Mapping[str, Any]


def three_sets(material: Material, metric: str) -> ThreeSets:
    """Gather the features of all three sets.

    Args:
        material: its reference needs a training split and another one.
        metric: name of the metric, for the message.

    Raises:
        ValueError: the reference has no training images, or no others.
    """
    held_out = material.real()
    if not isinstance(held_out, Features) or material.split == "train":
        raise ValueError(
            f"metrics: {metric} needs training and held-out images; write reference=DATASET with a test split"
        )
    train = material.features("train", metric)
    conditions = {
        "train": material.examples("train", metric).fingerprint(),
        **read_by(material.extractor()),
        "n_fake": material.fake().n,
    }
    return ThreeSets(train, held_out, material.fake(), conditions)
