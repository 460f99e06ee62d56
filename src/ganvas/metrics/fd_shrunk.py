r"""Fréchet distance with shrunk covariances, for fewer images than features.

The covariance of n images has a rank below n. Its small eigenvalues are too small and its large ones too large, and
this inflates the Fréchet distance. Each covariance is therefore drawn towards a multiple of the identity:

.. math:: \Sigma^* = (1 - \delta) S + \delta \frac{\operatorname{tr} S}{d} I, \qquad
    \delta = \min \Big( 1, \frac{\frac{1}{n^2} \sum_i \lVert x_i x_i^\top - S \rVert^2}
    {\lVert S - \frac{\operatorname{tr} S}{d} I \rVert^2} \Big), \qquad S = \frac1n \sum_i x_i x_i^\top

with centred features x of d dimensions and the Frobenius norm. This :math:`\delta` estimates the one with the smallest
expected error of :math:`\Sigma^*`, for any distribution of the features. Shrinkage makes two covariances more alike
than they are, so that the value can be too low: compare it with its floor, and at equal n only.

The standard error is that of :mod:`ganvas.metrics.frechet` with :math:`\delta` held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.metrics.base import FEATURES, Score, feature_metric
from ganvas.metrics.fd_infinity import symmetric_distance
from ganvas.metrics.frechet import Moments, influence_error, influence_of
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


@final
@dataclass(frozen=True)
class Shrunk:
    """Mean and shrunk covariance.

    Args:
        moments: mean, and covariance of full rank unless all images are equal.
        shrinkage: share of the identity, in [0, 1].
    """

    moments: Moments
    shrinkage: float


def shrunk(features: Float[Tensor, "n d"]) -> Shrunk:
    """Estimate mean and covariance, in float64.

    Reference: Ledoit and Wolf 2004, section 3, https://doi.org/10.1016/S0047-259X(03)00096-4.

    Args:
        features: at least 2 rows.
    """
    values = features.double()
    mean = values.mean(dim=0)
    x = values - mean
    n, d = x.shape
    sample = x.T @ x / n
    size = sample.diagonal().mean()
    noise = float((x.square().sum(dim=1).square().mean() - sample.square().sum()) / n)
    spread = float(sample.square().sum() - d * size.square())
    shrinkage = min(1.0, noise / spread) if spread > 0 else 0.0
    covariance = (1 - shrinkage) * sample
    covariance.diagonal().add_(shrinkage * size)
    return Shrunk(Moments(mean, covariance), shrinkage)


def shrunk_distance(real: Shrunk, fake: Shrunk) -> float:
    """Compute the Fréchet distance of two shrunk Gaussians, squared feature units."""
    return symmetric_distance(real.moments, fake.moments)


def shrunk_error(real: Shrunk, fake: Shrunk, features: Float[Tensor, "m d"]) -> float:
    r"""Standard error of the distance over generated images.

    .. math:: \operatorname{sd}(\psi(x_i)) / \sqrt{m}, \qquad \psi(x) = 2 (\mu_2 - \mu_1)^\top (x - \mu_2)
        + (x - \mu_2)^\top \Big( (1 - \delta) (I - T) + \delta \frac{\operatorname{tr}(I - T)}{d} I \Big) (x - \mu_2)

    Args:
        real: shrunk moments of the reference, held fixed.
        fake: shrunk moments of ``features``; their shrinkage is held fixed.
        features: features of the generated images.
    """
    push, shape = influence_of(real.moments, fake.moments)
    return influence_error(push, _drawn(shape, fake.shrinkage), fake.moments.mean, features)


def _drawn(shape: Float64[Tensor, "d d"], shrinkage: float) -> Float64[Tensor, "d d"]:
    """Draw the derivative by the covariance towards the identity, as the covariance is."""
    mean = shape.diagonal().mean()
    drawn = (1 - shrinkage) * shape
    drawn.diagonal().add_(shrinkage * mean)
    return drawn


def _fd_shrunk(pair: Comparison) -> Score:
    real = pair.real_features("fd_shrunk")
    require_images("the shrunk Fréchet distance", 2, real=real.values, fake=pair.fake.values)
    sides = _of(real), _of(pair.fake)
    error = shrunk_error(*sides, pair.fake.values)
    return Score(shrunk_distance(*sides), error, f"{pair.fake.n} generated images, first order, shrinkage held")


def _of(side: Features) -> Shrunk:
    return side.once("shrunk", lambda: shrunk(side.values))


# No smallest sensible n: the estimate is made for n below the number of features.
METRIC = feature_metric(
    "fd_shrunk",
    FEATURES,
    True,
    _fd_shrunk,
    "Fréchet distance with shrunk covariances, for fewer images than features",
)
