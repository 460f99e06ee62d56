r"""Label accuracy: share of samples to which the extractor's classifier gives the class that they were asked for.

.. math:: \frac1n \#\{i : \arg\max_k \ell_k(x_i) = y_i\}

The classifier's own errors are part of it, so no generator is expected above the floor: the share of real images of the
reference with their own class. The ceiling is that of a generator that ignores the class, :math:`\sum_k q_k r_k` with
the share :math:`q_k` of the samples that were asked for class k and the share :math:`r_k` of the real images that the
classifier puts into it. A high value says nothing about variety: one good image of each class has 1.

The extractor's classes must be those of the data. Names do not tell: a user's own network has none. So it must have as
many, and must give more than half of the real images of the reference their own class.
"""

from __future__ import annotations

from typing import Final

from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.metrics.base import LABELS, Material, Measured, Metric
from ganvas.metrics.labels import Labels, Unsuited, read_by
from ganvas.metrics.share import share
from ganvas.metrics.validation import require_images

KNOWN: Final = 0.5
"""Share of real images with their own class, above which the extractor's classes are those of the data."""


def expected_by_chance(logits: Float[Tensor, "m k"], asked: Int64[Tensor, " n"]) -> float:
    r"""Expected label accuracy of a generator that draws real images without regard to the class.

    .. math:: \sum_k q_k r_k

    Args:
        logits: class logits of real images.
        asked: classes that samples are asked for.
    """
    counts = [x.bincount(minlength=logits.shape[1]).double() for x in (asked, logits.argmax(1))]
    q, r = (count / count.sum() for count in counts)
    return float((q * r).sum())


def _label_accuracy(material: Material) -> Measured:
    labels = material.labels("label_accuracy")
    real = _real_logits(material, labels)
    fake = material.fake().logits
    assert fake is not None
    require_images("label_accuracy", 1, fake=fake)
    own = float((real.argmax(1) == labels.real).double().mean())
    return Measured(
        {"label_accuracy": share(fake.argmax(1) == labels.fake, "generated images")},
        floor={"label_accuracy": own} if material.calibration else {},
        ceiling={"label_accuracy": expected_by_chance(real, labels.fake)} if material.calibration else {},
        conditions={**read_by(material.extractor()), **labels.conditions()},
    )


def _real_logits(material: Material, labels: Labels) -> Tensor:
    """Return the logits of the reference; Unsuited if the extractor's classes are not those of the reference."""
    extractor, needs = material.extractor(), "metrics: label_accuracy needs an extractor with the classes of the data"
    if extractor.num_classes is None:
        raise Unsuited(f"{needs}, and extractor={extractor.name} has no classes; leave label_accuracy out")
    if extractor.num_classes != len(labels.names):
        raise Unsuited(
            f"{needs}: extractor={extractor.name} has {extractor.num_classes}, reference={material.reference} has "
            f"{len(labels.names)}; choose another extractor, or leave label_accuracy out"
        )
    real = material.real()
    assert isinstance(real, Features) and real.logits is not None
    own = float((real.logits.argmax(1) == labels.real).double().mean())
    if own <= KNOWN:
        raise Unsuited(
            f"{needs}: extractor={extractor.name} gives only {own:.0%} of the real images of "
            f"reference={material.reference} their own class; choose another extractor, or leave label_accuracy out"
        )
    return real.logits


METRIC = Metric(
    "label_accuracy",
    LABELS,
    {"label_accuracy": False},
    (),
    1,
    _label_accuracy,
    "share of samples to which the extractor's classifier gives the class they were asked for; the floor is that of "
    "real images, the ceiling that of a generator that ignores the class",
)
