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

The standard errors are over generated images, and the real images are held. Each resample of them has other samples
y_j (each with its density), another density :math:`\hat q` at the real images, and another band: the logarithms of ten
deviations say little of their own spread, so that it is drawn too, by :math:`s^2 (r - 1) / \chi^2_{r-1}`. An error is
at least Wilson's for a share of the significant images. On Gaussians it was 1 to 1.2 times the true deviation of TopR,
and 0.9 to 1 of that of TopP.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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
_REDRAWS: Final = 200
"""Number of resamples of the generated images that standard errors follow from."""
_NEGLIGIBLE: Final = 1e-4
"""A precision or recall up to this value gives an F1 of 0 in the authors' code."""
_TINY: Final = float(np.finfo(np.float64).tiny)
_HELD: Final = "reference held, bootstrap"


@final
@dataclass(frozen=True, eq=False)
class Supports:
    """Densities that decide which images are significant, and which lie in the support of the other side.

    Args:
        own: density of the generated side at its own images, up to a constant.
        deviations: largest deviation of this density in each resample behind the band.
        alpha: significance level of the band.
        inside: whether each generated image lies in the support of the real side.
        at_real: density of the generated side at the significant real images, as it is (column 0) and of resamples.
        counts: how often each generated image is in each resample, a column each, the first of ones.
    """

    own: Float64[Tensor, " m"]
    deviations: Float64[Tensor, " r"]
    alpha: float
    inside: Bool[Tensor, " m"]
    at_real: Float64[Tensor, "s b"]
    counts: Float64[Tensor, "m b"]

    @property
    def significant(self) -> Bool[Tensor, " m"]:
        """Whether each generated image lies in the support of its own side."""
        return self.own > band(self.deviations, self.alpha)

    @property
    def reached(self) -> Bool[Tensor, " s"]:
        """Whether each significant real image lies in the support of the generated side."""
        return self.at_real[:, 0] > band(self.deviations, self.alpha)

    @cached_property
    def resampled(self) -> tuple[Float64[Tensor, " b"], Float64[Tensor, " b"]]:
        """Precision and recall of each resample; NaN where a resample has no significant image."""
        bands = torch.tensor(_drawn_bands(self.deviations.numpy(), self.alpha, self.counts.shape[1] - 1))
        counted = self.counts[:, 1:] * (self.own[:, None] > bands)
        precision = counted[self.inside].sum(0) / counted.sum(0)
        return precision, (self.at_real[:, 1:] > bands).double().mean(0)


def _drawn_bands(deviations: np.ndarray, alpha: float, n: int) -> np.ndarray:
    """Draw bands of other samples; a single deviation, or equal ones, say nothing of their spread."""
    draw, logs, r = np.random.RandomState(0), np.log(np.maximum(deviations, _TINY)), len(deviations)
    spread = float(logs.std(ddof=1)) if r > 1 else 0.0
    scales = spread * np.sqrt((r - 1) / draw.chisquare(max(r - 1, 1), size=(n, 1)))
    return np.quantile(np.exp(logs.mean() + scales * draw.standard_normal((n, r))), 1 - alpha, axis=1)


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
    redraws: int,
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
        redraws: number of resamples of the generated side that standard errors follow from.
    """
    a, b = projected(real, dimensions), projected(fake, dimensions)
    centre = a.mean(0)
    a, b = a - centre, b - centre
    draw = np.random.RandomState(seed)
    # The order of the draws is that of the authors' code: all of the real side first.
    (density, deviations), width = _own(a, draw, resamples)
    (fake_density, fake_deviations), fake_width = _own(b, draw, resamples)
    threshold = band(deviations, alpha)
    in_real = densities(b, a, width, torch.full((len(a), 1), 1 / len(a), dtype=torch.float64))[:, 0] > threshold
    counts = _counts(len(b), np.random.RandomState(0), redraws)
    at_real = densities(a[density > threshold], b, fake_width, counts / len(b))
    return Supports(fake_density, fake_deviations, alpha, in_real, at_real, counts)


def _counts(n: int, draw: np.random.RandomState, resamples: int) -> Float64[Tensor, "n r"]:
    """Count each image in each resample with replacement, a column each; the first column is the images themselves."""
    counts = [np.bincount(draw.choice(np.arange(n), size=n, replace=True), minlength=n) for _ in range(resamples)]
    return torch.from_numpy(np.stack([np.ones(n), *counts], axis=1))


def band(deviations: Float64[Tensor, " r"], alpha: float) -> float:
    """Quantile of the resamples' largest deviations; a density above it is significant.

    Args:
        deviations: largest deviation of the density of each resample.
        alpha: significance level, in (0, 1).
    """
    return float(np.quantile(deviations.numpy(), 1 - alpha))


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
        ratio = block.sqrt_().div_(max(width, _TINY))
        outside = ratio > 1
        parts.append(ratio.mul_(math.pi / 2).cos_().masked_fill_(outside, 0.0) @ weights)
    return torch.cat(parts)


def _own(
    x: Tensor, draw: np.random.RandomState, resamples: int
) -> tuple[tuple[Float64[Tensor, " n"], Float64[Tensor, " r"]], float]:
    """Density of a side at its own images, the largest deviation of each resample, and the bandwidth."""
    width = bandwidth(x)
    found = densities(x, x, width, _counts(len(x), draw, resamples) / len(x))
    return (found[:, 0], (found[:, 1:] - found[:, :1]).abs().amax(0)), width


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
    redraws = _REDRAWS if pair.errors else 0
    return pair.once(("supports", *how.values()), lambda: supports(real.values, fake.values, **how, redraws=redraws))


def _precision(pair: Comparison) -> Score:
    found = _supports(pair)
    counted = found.inside[found.significant]
    return _share(counted, found.resampled[0], f"{len(counted)} significant generated images")


def _recall(pair: Comparison) -> Score:
    found = _supports(pair)
    return _share(found.reached, found.resampled[1], f"{len(found.own)} generated images")


def _f1(pair: Comparison) -> Score:
    p, r = _precision(pair), _recall(pair)
    if p.value <= _NEGLIGIBLE or r.value <= _NEGLIGIBLE:
        return Score(0.0, None, "")
    value = 2 / (1 / p.value + 1 / r.value)
    if p.sd is None or r.sd is None:
        return Score(value, None, "")
    precisions, recalls = _supports(pair).resampled
    each = 2 / (1 / precisions + 1 / recalls)
    return Score(value, _deviation(each), f"{pair.fake.n} generated images, {_HELD}")


def _deviation(resampled: Float64[Tensor, " b"]) -> float:
    """Deviation over resamples, without those that have no significant image; NaN if there are no resamples."""
    return float(np.nanstd(resampled)) if len(resampled) else math.nan


def _share(counted: Bool[Tensor, " n"], resampled: Float64[Tensor, " b"], over: str) -> Score:
    """Share of significant images, with an error of at least Wilson's; NaN if there are none."""
    if not len(counted):
        return Score(math.nan, None, "")
    least = share(counted, over)
    assert least.sd is not None
    return Score(least.value, max(_deviation(resampled), least.sd), f"{over}, {_HELD}")


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
