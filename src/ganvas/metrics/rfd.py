r"""Fréchet distance of reconstructions from their originals; on the 2015 Inception it is the papers' rFID.

.. math:: d^2 \big( \{ f(x_i) \}, \{ f(\hat x_i) \} \big)

with held-out images x as the model sees them, their reconstructions :math:`\hat x`, and d of
:mod:`ganvas.metrics.frechet`. It compares the two sets and not the pairs: blur that is the same in all images counts,
and a reconstruction that shows another image of the same kind does not. The floor is 0, that of a model without loss;
the ceiling is that of a model that decodes the mean of the images for each.

Both sides change with the images, and together. The standard error therefore sums, for each image, the influence of the
original and that of the reconstruction.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ganvas.extractors.base import Extractor
from ganvas.metrics.base import RECONSTRUCTIONS, Material, Measured, Metric, Score
from ganvas.metrics.fd_infinity import symmetric_distance
from ganvas.metrics.frechet import Moments, influence_of, influences
from ganvas.metrics.labels import read_by
from ganvas.metrics.reconstruction import BATCH, COUNT
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images
from ganvas.types import to_uint8


def paired_distance(originals: Float[Tensor, "n d"], made: Float[Tensor, "n d"]) -> tuple[float, float]:
    """Compute the Fréchet distance of paired features, and its standard error over the pairs.

    Reference: Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500; of reconstructions: Esser et al. 2021,
    https://arxiv.org/abs/2012.09841.

    Args:
        originals: features of the images, n at least 2.
        made: features of their reconstructions, in the same order.

    Raises:
        ValueError: there are too few images, or features are not finite.
    """
    require_images("rfd", 2, real=originals, fake=made)
    sides = Moments.of(originals), Moments.of(made)
    pulls = influences(*influence_of(*sides), sides[1].mean, made)
    pulls += influences(*influence_of(*reversed(sides)), sides[0].mean, originals)
    return symmetric_distance(*sides), float(pulls.std() / len(made) ** 0.5)


def _features(extractor: Extractor, images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    return extractor(images)[0].float().cpu()


def _rfd(material: Material) -> Measured:
    model, extractor = material.reconstructor("rfd"), material.extractor()
    originals, made, total = [], [], torch.zeros(())
    for batch in material.held_out(material.settings[COUNT.name], BATCH):
        originals.append(_features(extractor, to_uint8(batch.x)))
        made.append(_features(extractor, to_uint8(model.reconstruct(batch))))
        total = total + batch.x.double().sum(0, keepdim=True).cpu()
    real = torch.cat(originals)
    value, error = paired_distance(real, torch.cat(made))
    mean = _features(extractor, to_uint8((total / len(real)).float()))
    return Measured(
        {"rfd": Score(value, error, f"{len(real)} {material.split} images, first order")},
        floor={"rfd": 0.0} if material.calibration else {},
        ceiling={"rfd": _of_one_image(real, mean)} if material.calibration else {},
        conditions={**read_by(extractor), "n": len(real), "transform": dict(material.transform())},
    )


def _of_one_image(real: Float[Tensor, "n d"], image: Float[Tensor, "1 d"]) -> float:
    """Compute the distance of images from a single one: the squared shift and the trace of the covariance."""
    moments = Moments.of(real)
    return float((moments.mean - image[0].double()).square().sum() + moments.covariance.trace())


METRIC = Metric(
    "rfd",
    RECONSTRUCTIONS,
    {"rfd": True},
    (COUNT,),
    1,
    _rfd,
    "Fréchet distance of the reconstructions of held-out images from these images, on an extractor (rFID on the 2015 "
    "Inception); the ceiling is that of the mean image",
    sensible_n=SensibleN(
        1, "the covariances of originals and reconstructions are singular, and rfd is not comparable", per="feature"
    ),
)
