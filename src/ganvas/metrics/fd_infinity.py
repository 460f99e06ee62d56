r"""FD-infinity: the Fréchet distance extrapolated to infinitely many generated images.

The distance at N images has a bias proportional to 1/N, which depends on the generator. The distance is measured at
several N on random subsets of the generated images, and a straight line in 1/N is extrapolated to 1/N = 0 (see
:mod:`ganvas.metrics.extrapolation`):

.. math:: \mathrm{FD}_N \approx \mathrm{FD}_\infty + b / N

Only the generated side is extrapolated: the reference keeps its size, and so its part of the bias. The linear model
holds if N is well above the number of features; for smaller N the value is less biased than FD at that N, but still
biased. The value may be negative for a generator whose distance is near the floor.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import MOMENTS, SEED, Score, feature_metric
from ganvas.metrics.extrapolation import Line, extrapolated, line_settings
from ganvas.metrics.frechet import Moments, error_of
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def fd_infinity(
    real: Moments, fake: Float[Tensor, "m d"], *, points: int, share: float, seed: int
) -> tuple[float, float]:
    r"""Extrapolate the Fréchet distance to infinitely many generated images.

    .. math:: (\hat a, \hat b) = \arg\min_{a, b} \sum_j (\mathrm{FD}_{N_j} - a - b / N_j)^2

    Reference: Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023.

    Args:
        real: moments of the reference.
        fake: features of generated images, at least ``2 / share``.
        points: number of sample counts, at least 3.
        share: smallest count as a share of m, in (0, 1).
        seed: seed of the subsets; the global random state is not used.

    Returns:
        The intercept, in squared feature units, and its standard error from the residuals of the line.

    Raises:
        ValueError: there are too few images, or features are not finite.
    """
    require_images("FD-infinity", math.ceil(2 / share), fake=fake)
    line = Line(points, share, seed)
    return extrapolated(lambda subset: symmetric_distance(real, Moments.of(subset)), fake, line)


def symmetric_distance(real: Moments, fake: Moments) -> float:
    r"""Fréchet distance by a symmetric eigenproblem, several times faster than by the general one.

    .. math:: \operatorname{tr} (\Sigma_1 \Sigma_2)^{1/2}
        = \operatorname{tr} (\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2})^{1/2}

    Args:
        real: moments of the reference; their root is computed once and reused.
        fake: moments of one subset.

    Returns:
        The same as :func:`ganvas.metrics.frechet.moments_distance`, up to rounding.
    """
    values = torch.linalg.eigvalsh(real.root @ fake.covariance @ real.root)
    traces = real.covariance.trace() + fake.covariance.trace() - 2 * values.clamp(min=0).sqrt().sum()
    return float((real.mean - fake.mean).square().sum() + traces)


def _fd_infinity(pair: Comparison) -> Score:
    pair.require_moments("FD-infinity")
    s = pair.settings
    value, scatter = fd_infinity(
        pair.moments[0], pair.fake.values, points=s.fd_infinity_points, share=s.fd_infinity_share, seed=s.seed
    )
    # `scatter` is over subsets of the same images; the error from drawing other images is added to it.
    sd = math.hypot(error_of(pair), scatter)
    return Score(value, sd, f"{pair.fake.n} generated images, first order, and {s.fd_infinity_points} points of a line")


METRIC = feature_metric(
    "fd_infinity",
    MOMENTS,
    True,
    _fd_infinity,
    "Fréchet distance extrapolated to infinitely many samples",
    (*line_settings("fd_infinity"), SEED),
    sensible_n=SensibleN(
        10,  # the smallest sample of the shipped line, a tenth of all, then has a covariance of full rank
        "FD-infinity extrapolates distances of samples with a singular covariance, whose bias is no line in 1/N",
        per="feature",
    ),
    in_blocks=True,  # its largest subset is a copy of all samples, in the precision of the file
)
