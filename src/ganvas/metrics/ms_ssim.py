r"""Diversity by multi-scale structural similarity: the mean similarity of random pairs of samples.

.. math:: \frac1P \sum_{p} \operatorname{MS\text{-}SSIM}(x_p, x'_p)

with pairs within a class where samples have classes, see :mod:`ganvas.extractors.ms_ssim`; negative contrasts count as
0. Lower is more diverse, and a generator that makes one image for each class has the value 1. It says nothing of
quality, as noise is diverse too: compare the value with the floor, that of pairs of real images. A value near the floor
is good, one far below it is as wrong as one above.

No image is in two pairs, so that the pairs are independent and the standard error is that of their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.source import Examples
from ganvas.extractors.ms_ssim import ms_ssim, scales
from ganvas.metrics.base import SAMPLES, SEED, Material, Measured, Metric, Score, Setting
from ganvas.metrics.labels import Labels, Unsuited
from ganvas.metrics.mean_error import MeanError, mean_error
from ganvas.metrics.sensible import SensibleN

BATCH: Final = 250
_PAIRS = Setting(
    "ms_ssim_pairs",
    1000,
    "number of pairs of ms_ssim, of each class where samples have classes (Odena et al.: 100 of each class)",
    least=2,
)

Pairs = tuple[Int64[Tensor, " p"], Int64[Tensor, " p"]]
"""Positions of the first and of the second image of each pair."""


def pairs_of(groups: Sequence[Int64[Tensor, " _"]], most: int, seed: int) -> Pairs:
    """Draw pairs within groups; no image is in two pairs.

    Args:
        groups: positions of the images of each group.
        most: largest number of pairs of a group.
        seed: seed of the pairs; the global random state is not used.
    """
    generator = torch.Generator().manual_seed(seed)
    firsts, seconds = [], []
    for group in groups:
        order = group[torch.randperm(len(group), generator=generator)]
        count = min(most, len(group) // 2)
        firsts.append(order[:count])
        seconds.append(order[count : 2 * count])
    return torch.cat(firsts), torch.cat(seconds)


def similarity(images: Examples | UInt8[Tensor, "n c h w"], pairs: Pairs) -> MeanError:
    """Average the similarity of pairs of images.

    Reference: Odena et al. 2017, section 4.2, https://arxiv.org/abs/1610.09585.

    Args:
        images: images in [0, 255], of at least 11 pixels.
        pairs: at least one pair.
    """
    parts = zip(*(side.split(BATCH) for side in pairs), strict=True)
    values = [ms_ssim(_read(images, i), _read(images, j), "relu", "metrics: ms_ssim") for i, j in parts]
    return mean_error(torch.cat(values))


def _read(images: Examples | Tensor, index: Tensor) -> Tensor:
    """Read some of the images, in [0, 1]."""
    return (images[index] if isinstance(images, Tensor) else images.batch(index)).float() / 255


def _ms_ssim(material: Material) -> Measured:
    if len(material.shape) != 3:
        raise ValueError(f"metrics: ms_ssim compares images, and {material.subject} makes points; leave ms_ssim out")
    count = scales(min(material.shape[1:]), "metrics: ms_ssim")
    labels = _labels(material)
    pairs = _pairs(material, material.n, None if labels is None else (labels.fake, labels.asked))
    if len(pairs[0]) < 2:
        raise ValueError(f"fake: ms_ssim expects at least 2 pairs of images, got {len(pairs[0])}; score more images")
    found = similarity(material.draw(), pairs)
    return Measured(
        {"ms_ssim": Score(found.mean, found.standard_error, f"{found.n} pairs of generated images")},
        floor=_floor(material, labels),
        ceiling={"ms_ssim": 1.0} if material.calibration else {},
        conditions={
            "n": material.n,
            "shape": list(material.shape),
            "scales": count,
            "within": "all samples" if labels is None else labels.conditions(),
        },
    )


def _labels(material: Material) -> Labels | None:
    """Return the classes; None if a side has none, and pairs are then drawn among all samples."""
    try:
        return material.labels("ms_ssim")
    except Unsuited:
        return None


def _pairs(material: Material, n: int, classed: tuple[Tensor, Sequence[int]] | None) -> Pairs:
    """Draw pairs of ``n`` images, within those classes that samples were asked for."""
    groups = [torch.arange(n)]
    if classed is not None:
        classes, asked = classed
        groups = [(classes == c).nonzero()[:, 0] for c in asked]
    return pairs_of(groups, material.settings.ms_ssim_pairs, material.settings.seed)


def _floor(material: Material, labels: Labels | None) -> dict[str, float]:
    """Score real images of the reference; there is no floor without them, or if they have another size."""
    if not material.calibration or not material.has(material.split):
        return {}
    real = material.examples(material.split, "the floor")
    pairs = _pairs(material, len(real), None if labels is None else (labels.real, labels.asked))
    if tuple(real.shape) != tuple(material.shape) or not len(pairs[0]):
        return {}
    return {"ms_ssim": similarity(real, pairs).mean}


METRIC = Metric(
    "ms_ssim",
    SAMPLES,
    {"ms_ssim": True},
    (_PAIRS, SEED),
    1,
    _ms_ssim,
    "mean structural similarity of pairs of samples, within classes where there are any: lower is more diverse; the "
    "floor is that of real images, and a value far below it is noise",
    "diversity",
    sensible_n=SensibleN(
        200, "the mean similarity is that of fewer than 100 pairs (Odena et al. take 100 of each class)"
    ),
)
