r"""Perceptual path length (PPL): how fast the image changes along a path between two latents.

.. math:: \frac{1}{\epsilon^2} \, d \big( G(z), G(z + \epsilon (z' - z)) \big)

with independent latents z and z' of the model's prior, and the perceptual distance d of
:mod:`ganvas.extractors.perceptual`, which grows with the square of a small change. Images are first brought to one
size: by the mean of areas if they are larger on both sides, else bilinearly. The value is the mean over latents
without the smallest and the largest percent of distances. Low values mean a smooth map; a generator of one image has 0.

The step is the first of a straight line in the space of the prior, as in torch-fidelity. Unlike there, by its
default, pixels are not rounded to 256 levels: with :math:`\epsilon = 10^{-4}` most differences are smaller than one.
StyleGAN's own values are measured in the space of styles, on crops of faces, or along a great circle, and are not
comparable. A conditional model gets classes with equal probabilities, the same at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import interpolate

from ganvas.display import counted
from ganvas.extractors.perceptual import Perceptual
from ganvas.metrics.base import GENERATOR, Material, Measured, Metric, Score, Setting
from ganvas.metrics.mean_error import MeanError, mean_error
from ganvas.metrics.reconstruction import unit_range
from ganvas.types import DrawsClasses

BATCH: Final = 100

_SAMPLES = Setting("ppl.samples", 10_000, "number of pairs of latents of ppl (Karras et al.: 100,000)", least=2)
_EPSILON = Setting("ppl.epsilon", 1e-4, "length of ppl's step as a share of the path (the paper: 1e-4)", least=1e-8)
_SIZE = Setting("ppl.size", 64, "side that images are brought to in ppl, pixels (torch-fidelity: 64)", least=31)
_DISCARD = Setting(
    "ppl.discard", 0.01, "share of the distances left out at each end (torch-fidelity: 0.01)", least=0, below=0.5
)
_NET = Setting("ppl.net", "vgg", "network of ppl's distance: alex, vgg or squeeze (the paper: vgg)")
_WEIGHTS = Setting(
    "ppl.weights", "", "path of torchvision's state dict of that network; empty downloads it", decides=False
)

Distance = Callable[[Tensor, Tensor], Tensor]
"""Perceptual distance of each pair of images in [0, 1]."""


def resized(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c s s"]:
    """Bring images to a size: by the mean of areas if both sides are larger, else bilinearly."""
    if min(images.shape[2:]) > size:
        return interpolate(images, (size, size), mode="area")
    return interpolate(images, (size, size), mode="bilinear", align_corners=False)


def step_lengths(
    decode: Callable[[Tensor], Tensor], distance: Distance, ends: tuple[Tensor, Tensor], *, epsilon: float, size: int
) -> Float[Tensor, " n"]:
    """Compute the squared speed of the image at the start of each path.

    Reference: Karras et al. 2019, section 4.1, https://arxiv.org/abs/1812.04948.

    Args:
        decode: from latents to images in [-1, 1].
        distance: perceptual distance.
        ends: latents at both ends of each path.
        epsilon: length of the step as a share of the path, above 0.
        size: side that images are brought to, pixels.
    """
    start, end = ends
    made = decode(torch.cat([start, start + (end - start) * epsilon]))
    first, second = resized(unit_range(made), size).chunk(2)
    with torch.no_grad():
        return (distance(first, second) / epsilon**2).cpu()


def trimmed(values: Float[Tensor, " n"], share: float) -> MeanError:
    """Average the values that lie between two of their quantiles, both included.

    Args:
        values: finite values.
        share: share left out at each end, rounded down.
    """
    ordered = values.double().sort().values
    last = len(ordered) - 1
    low, high = ordered[math.floor(share * last)], ordered[math.ceil((1 - share) * last)]
    return mean_error(ordered[(ordered >= low) & (ordered <= high)])


def _ppl(material: Material) -> Measured:
    model, s = material.generator("ppl"), material.settings
    distance, count = Perceptual(s[_NET.name], s[_WEIGHTS.name], "ppl"), s[_SAMPLES.name]
    random = torch.Generator().manual_seed(material.seed)
    start, end = (model.prior.sample(count, generator=random) for _ in range(2))
    if not start.is_floating_point():
        raise ValueError(
            f"metrics: ppl needs latents with a path between them, and those of {material.subject} are codes; leave "
            "ppl out"
        )
    labels = None if model.classes is None else torch.randint(model.classes, (count,), generator=random)
    lengths = []
    for index in counted("steps on paths of ppl", torch.arange(count).split(BATCH), count):
        decode = _decoder(model, None if labels is None else labels[index])
        ends = start[index], end[index]
        lengths.append(step_lengths(decode, distance, ends, epsilon=s[_EPSILON.name], size=s[_SIZE.name]))
    found = trimmed(torch.cat(lengths), s[_DISCARD.name])
    return Measured(
        {"ppl": Score(found.mean, found.standard_error, f"{found.n} steps")},
        conditions={"weights_hash": distance.weights_hash},
    )


def _decoder(model: DrawsClasses, labels: Int64[Tensor, " n"] | None) -> Callable[[Tensor], Tensor]:
    return lambda z: model.decoded(z, None if labels is None else labels.repeat(2))


# No smallest sensible n: it is a mean of independent steps without bias, and its ± shows what few steps cost.
METRIC = Metric(
    "ppl",
    GENERATOR,
    {"ppl": True},
    (_SAMPLES, _EPSILON, _SIZE, _DISCARD, _NET, _WEIGHTS),
    1,
    _ppl,
    "perceptual path length: squared speed of the image along a line between two latents; a model of one image has 0",
    "latents",
)
