r"""Intra-class Fréchet distance: the Fréchet distance of each class, and the mean over classes.

.. math:: \frac{1}{|C|} \sum_{c \in C} d^2 \big( \{f(x) : y = c\}, \{f(\tilde x) : \tilde y = c\} \big)

with the classes C that samples were asked for. Unlike one distance over all classes it sees images of a wrong class,
and a class without variety. On features of the 2015 Inception it is the papers' intra-FID. Each class has fewer images
than the whole, so it is farther above its limit than the distance over all classes: compare it with its floor, at the
same number of images.

The floor takes real training images with their own classes in place of the samples. The ceiling takes the reference's
images in random order, as from a generator that ignores the class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.metrics.base import LABELS, Material, Measured, Metric, Score
from ganvas.metrics.fd_infinity import symmetric_distance
from ganvas.metrics.frechet import Moments, frechet_error
from ganvas.metrics.labels import Labels, Unsuited, read_by
from ganvas.metrics.validation import require_images

LEAST: Final = 10
"""Smallest number of images of a class, on each side (ours); with fewer the covariance says next to nothing."""


@final
@dataclass(frozen=True)
class ClassDistance:
    """Fréchet distance of one class.

    Args:
        value: the squared distance, in squared feature units.
        error: its standard error over generated images, first order.
        n_fake: number of generated images of the class.
    """

    value: float
    error: float
    n_fake: int


Classed = tuple[Float[Tensor, "_ d"], Int64[Tensor, " _"]]
"""Features of some images, and their classes."""


def class_distances(real: Classed, fake: Classed, classes: Sequence[int]) -> dict[int, ClassDistance]:
    r"""Fréchet distance of each class.

    Reference: Miyato and Koyama 2018, section 6.1, https://arxiv.org/abs/1802.05637.

    Args:
        real: features and classes of real images.
        fake: features and classes of generated images.
        classes: the classes; each needs at least 2 images on both sides.

    Raises:
        ValueError: a class has fewer images, or features are not finite.
    """
    return {c: _distance(*(features[labels == c] for features, labels in (real, fake))) for c in classes}


def _distance(real: Tensor, fake: Tensor) -> ClassDistance:
    require_images("the Fréchet distance of a class", 2, real=real, fake=fake)
    moments = Moments.of(real), Moments.of(fake)
    return ClassDistance(symmetric_distance(*moments), frechet_error(*moments, fake), len(fake))


def mean_distance(distances: Sequence[ClassDistance]) -> tuple[float, float]:
    """Average over classes; return the mean and its standard error, as classes have images of their own."""
    k = len(distances)
    return math.fsum(d.value for d in distances) / k, math.hypot(*(d.error for d in distances)) / k


def _intra_fd(material: Material) -> Measured:
    labels = material.labels("intra_fd")
    least = _require_enough(material, labels)
    features = material.real()
    assert isinstance(features, Features)
    real = features.values, labels.real
    found = class_distances(real, (material.fake().values, labels.fake), labels.asked)
    mean, error = mean_distance(list(found.values()))
    scores = {
        "intra_fd": Score(mean, error, f"{len(found)} classes of {len(labels.fake)} generated images, first order")
    }
    for c, d in found.items():
        scores[f"intra_fd_{c}"] = Score(d.value, d.error, f"{d.n_fake} generated images of class {labels.names[c]}")
    extractor = material.extractor()
    return Measured(
        scores,
        floor=_values(_floor(material, real, labels)),
        ceiling=_values(_ceiling(material, real, labels)),
        conditions={**read_by(extractor), **labels.conditions()},
        notes=(
            f"intra_fd: a class has only {least} images, below {extractor.num_features}, the number of features of "
            f"{extractor.name}: its covariance is singular, and its distance far above that of more images, which its "
            "± does not show",
        )
        * (least < extractor.num_features),
    )


def _require_enough(material: Material, labels: Labels) -> int:
    """Return the number of images of the smallest class on a side; Unsuited if it is below :data:`LEAST`."""
    counted = [(side, c, int((y == c).sum())) for side, y in _sides(material, labels) for c in labels.asked]
    side, c, n = min(counted, key=lambda found: found[2])
    if n < LEAST:
        raise Unsuited(
            f"metrics: intra_fd expects at least {LEAST} images of each class on both sides, {side} has {n} of class "
            f"{labels.names[c]}; score more images, with n=..., or leave intra_fd out"
        )
    return n


def _sides(material: Material, labels: Labels) -> tuple[tuple[str, Tensor], tuple[str, Tensor]]:
    return (material.subject, labels.fake), (f"reference={material.reference}", labels.real)


def _floor(material: Material, real: Classed, labels: Labels) -> dict[int, ClassDistance]:
    """Score real training images; there is no floor without them, or with too few of a class."""
    if not material.calibration or material.split == "train" or not material.has("train"):
        return {}
    train = material.examples("train", "the floor").labels
    features, index = material.drawn("train", "the floor")
    if train is None or min(int((train[index] == c).sum()) for c in labels.asked) < LEAST:
        return {}
    return class_distances(real, (features.values, train[index]), labels.asked)


def _ceiling(material: Material, real: Classed, labels: Labels) -> dict[int, ClassDistance]:
    """Score the reference's images with their classes in random order."""
    if not material.calibration:
        return {}
    order = torch.randperm(len(labels.real), generator=torch.Generator().manual_seed(material.settings.seed))
    return class_distances(real, (real[0], labels.real[order]), labels.asked)


def _values(distances: dict[int, ClassDistance]) -> dict[str, float]:
    if not distances:
        return {}
    return {"intra_fd": mean_distance(list(distances.values()))[0]} | {
        f"intra_fd_{c}": distance.value for c, distance in distances.items()
    }


METRIC = Metric(
    "intra_fd",
    LABELS,
    {"intra_fd": True, "intra_fd_*": True},
    (),
    1,
    _intra_fd,
    "Fréchet distance of each class, by its number, and their mean; the floor is that of real training images, the "
    "ceiling that of a generator that ignores the class",
)
