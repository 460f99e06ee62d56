r"""TopP&R, topological precision and recall: shares of images in supports whose density estimate is significant.

The density of a side with features x, in at most 32 dimensions after a random projection, is estimated with a cosine
kernel, up to a constant that cancels:

.. math:: \hat p(z) = \frac1n \sum_{i : \, \lVert z - x_i \rVert \le h} \cos \Big( \frac{\pi}{2}
    \frac{\lVert z - x_i \rVert}{h} \Big)

A bootstrap band c, the (1 - alpha)-quantile over resamples of :math:`\max_i | \hat p(x_i) - \tilde p(x_i) |`, tells
density from noise: the support is where :math:`\hat p > c`. With p, c of the real and q, c' of the generated side,

.. math:: \mathrm{TopP} = \frac{\#\{ j : \hat q(y_j) > c', \hat p(y_j) > c \}}{\#\{ j : \hat q(y_j) > c' \}}, \qquad
    \mathrm{TopR} = \frac{\#\{ i : \hat p(x_i) > c, \hat q(x_i) > c' \}}{\#\{ i : \hat p(x_i) > c \}}

and their harmonic mean is TopF1. Images without significant density, such as outliers, count on neither side. The
bandwidth h is the median over the images of the distance to the k-th nearest of the images after it, k being 5 times
the number of dimensions, as in the authors' code (so the order of images has a small effect).

The standard errors are those of shares of the significant images, with bands and bandwidths held fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from ganvas.metrics.base import FEATURES, Metric, Score, Setting, feature_metric
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.neighbours import BLOCK_BYTES, squared_distances
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.share import share
from ganvas.metrics.validation import require_images

PER_DIMENSION: Final = 5
"""Rank of the neighbour that gives the bandwidth, for each dimension (the authors' code: 5)."""
_PROJECTION_SEED: Final = 99
"""Seed of the random projection in the authors' code."""
_NEGLIGIBLE: Final = 1e-4
"""A precision or recall up to this value gives an F1 of 0 in the authors' code."""


@final
@dataclass(frozen=True, eq=False)
class Supports:
    """Membership of images in the significant supports.

    Args:
        fake: whether each generated image has significant density on its own side.
        fake_in_real: whether it has on the real side.
        real: whether each real image has significant density on its own side.
        real_in_fake: whether it has on the generated side.
    """

    fake: Bool[Tensor, " m"]
    fake_in_real: Bool[Tensor, " m"]
    real: Bool[Tensor, " n"]
    real_in_fake: Bool[Tensor, " n"]


def least_images(dimensions: int) -> int:
    """Smallest number of images of a side, for features of so many dimensions after the projection."""
    return PER_DIMENSION * dimensions + 2


def supports(
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    *,
    dimensions: int,
    alpha: float,
    resamples: int,
    seed: int,
) -> Supports:
    r"""Estimate both supports, and which images lie in them.

    .. math:: \{ z : \hat p(z) > c \}

    Reference: Kim et al. 2023, https://arxiv.org/abs/2306.08013; authors' code: https://github.com/LAIT-CVLab/TopPR.

    Args:
        real: features of real images, at least :func:`least_images`.
        fake: features of generated images, as many at least.
        dimensions: features of more dimensions are projected to these.
        alpha: significance level of the bands, in (0, 1).
        resamples: number of bootstrap resamples of each side.
        seed: seed of the resamples; the global random state is not used.
    """
    a, b = projected(real, dimensions), projected(fake, dimensions)
    centre = a.mean(0)
    a, b = a - centre, b - centre
    draw = np.random.RandomState(seed)
    # The order of the draws is that of the authors' code: all of the real side first.
    (in_real, c), width = _own(a, draw, alpha, resamples)
    (in_fake, c_fake), fake_width = _own(b, draw, alpha, resamples)
    even_real, even_fake = (torch.full((len(x), 1), 1 / len(x), dtype=torch.float64) for x in (a, b))
    fake_in_real = densities(b, a, width, even_real)[:, 0] > c
    real_in_fake = densities(a, b, fake_width, even_fake)[:, 0] > c_fake
    return Supports(in_fake > c_fake, fake_in_real, in_real > c, real_in_fake)


def projected(x: Float[Tensor, "n d"], dimensions: int) -> Float64[Tensor, "n e"]:
    """Project features to fewer dimensions by normal weights with Xavier's deviation; fewer stay as they are."""
    d = x.shape[1]
    if d <= dimensions:
        return x.double()
    generator = torch.Generator().manual_seed(_PROJECTION_SEED)
    weight = torch.empty(dimensions, d).normal_(0, math.sqrt(2 / (d + dimensions)), generator=generator)
    return x.double() @ weight.double().T


def bandwidth(x: Float64[Tensor, "n d"]) -> float:
    """Median distance to the k-th nearest of the images after each image; the last k images are left out."""
    k = PER_DIMENSION * x.shape[1]
    found = []
    for start, block in squared_distances(x, x, 0.0, BLOCK_BYTES):
        rows = min(len(block), len(x) - k - start)
        for row in range(rows):
            after = block[row, start + row + 1 :]
            found.append(float(after.kthvalue(k).values))
    return math.sqrt(sorted(found)[len(found) // 2 - 1])


def densities(
    points: Float64[Tensor, "n d"], centres: Float64[Tensor, "m d"], width: float, weights: Float64[Tensor, "m w"]
) -> Float64[Tensor, "n w"]:
    r"""Density at points, up to a constant, for several weightings of the centres.

    .. math:: \sum_i w_i \cos ( \tfrac{\pi}{2} \lVert z - x_i \rVert / h ) \, 1[ \lVert z - x_i \rVert \le h ]

    Args:
        points: where the density is evaluated.
        centres: features of the images of a side.
        width: the bandwidth h; 0 leaves the kernel at equal images only.
        weights: weights of the centres, a column for each density.
    """
    parts = []
    for _, block in squared_distances(points, centres, 0.0, BLOCK_BYTES):
        ratio = block.sqrt_().div_(max(width, float(np.finfo(np.float64).tiny)))
        outside = ratio > 1
        parts.append(ratio.mul_(math.pi / 2).cos_().masked_fill_(outside, 0.0) @ weights)
    return torch.cat(parts)


def _own(
    x: Tensor, draw: np.random.RandomState, alpha: float, resamples: int
) -> tuple[tuple[Float64[Tensor, " n"], float], float]:
    """Density of a side at its own images, its band, and its bandwidth."""
    n, width = len(x), bandwidth(x)
    counts = [np.bincount(draw.choice(np.arange(n), size=n, replace=True), minlength=n) for _ in range(resamples)]
    weights = torch.from_numpy(np.stack([np.ones(n), *counts], axis=1) / n)
    found = densities(x, x, width, weights)
    deviations = (found[:, 1:] - found[:, :1]).abs().amax(0)
    return (found[:, 0], float(np.quantile(deviations.numpy(), 1 - alpha))), width


_SETTINGS = (
    Setting("topp_dimensions", 32, "dimensions after the random projection of topp_r (the authors: 32)", least=1),
    Setting("topp_alpha", 0.1, "significance level of the bands of topp_r (the authors: 0.1)", least=0, below=1),
    Setting("topp_resamples", 10, "number of bootstrap resamples of each side in topp_r (the authors: 10)", least=1),
    Setting("topp_seed", 42, "seed of the resamples of topp_r (the authors: 42)", least=0),
)


def _supports(pair: Comparison) -> Supports:
    real, fake, s = pair.real_features("topp_r"), pair.fake, pair.settings
    least = least_images(min(s.topp_dimensions, fake.values.shape[1]))
    require_images("topp_r", least, fake=fake.values, real=real.values)
    how = {"alpha": s.topp_alpha, "dimensions": s.topp_dimensions, "resamples": s.topp_resamples, "seed": s.topp_seed}
    return pair.once(("supports", *how.values()), lambda: supports(real.values, fake.values, **how))


def _precision(pair: Comparison) -> Score:
    found = _supports(pair)
    return _share(found.fake_in_real[found.fake], "significant generated images, bands held")


def _recall(pair: Comparison) -> Score:
    found = _supports(pair)
    return _share(found.real_in_fake[found.real], "significant real images, bands held")


def _share(counted: Tensor, over: str) -> Score:
    return share(counted, over) if len(counted) else Score(math.nan, None, "")


def _f1(pair: Comparison) -> Score:
    p, r = _precision(pair), _recall(pair)
    if p.value <= _NEGLIGIBLE or r.value <= _NEGLIGIBLE:
        return Score(0.0, None, "")
    value = 2 / (1 / p.value + 1 / r.value)
    if p.sd is None or r.sd is None:
        return Score(value, None, "")
    # The derivative of the harmonic mean with respect to p is F^2 / (2 p^2).
    error = value**2 / 2 * math.hypot(p.sd / p.value**2, r.sd / r.value**2)
    return Score(value, error, f"{p.sd_over.removesuffix(', bands held, Wilson')}, {r.sd_over}")


_LEAST = SensibleN(
    1_600,  # ten times the 160 neighbours in 32 dimensions
    "the bandwidth of topp_r, which spans 160 neighbours in 32 dimensions, blurs more than a tenth of the images",
)


def _metric(name: str, compute: Callable[[Comparison], Score], says: str) -> Metric:
    return feature_metric(name, FEATURES, False, compute, says, _SETTINGS, sensible_n=_LEAST)


METRICS = (
    _metric("topp_precision", _precision, "share of significant samples in the real support"),
    _metric("topp_recall", _recall, "share of significant real images in the samples' support"),
    _metric("topp_f1", _f1, "harmonic mean of topp_precision and topp_recall"),
)
