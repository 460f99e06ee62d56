r"""Fréchet distance between two sets of features, each summarised by a Gaussian.

.. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
    + \operatorname{tr} \big( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \big)

with unbiased covariances. On one-dimensional features this is :math:`(m_1 - m_2)^2 + (s_1 - s_2)^2`. On features of the
2015 Inception it is the Fréchet Inception Distance. It is biased upwards at finite n, so values at different n are not
comparable.

The standard error over generated images is computed from the influence function of the distance. With
:math:`T = \Sigma_1^{1/2} (\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2})^{-1/2} \Sigma_1^{1/2}`, the map that transports the
fake Gaussian onto the real one, the influence of a sample :math:`x` is

.. math:: \psi(x) = 2 (\mu_2 - \mu_1)^\top (x - \mu_2) + (x - \mu_2)^\top (I - T) (x - \mu_2) + \text{const},
    \qquad \widehat{\mathrm{se}} = \operatorname{sd}(\psi) / \sqrt{m}

(the infinitesimal jackknife). It needs one pass and one eigendecomposition instead of a bootstrap's many, and is not
random. It is also more accurate: a bootstrap of 20 overstated the deviation two- to threefold if m < d or if the
distance was near its floor. The error is first order, over generated images with the reference held fixed, and does not
include the bias of the distance at finite m, which :mod:`ganvas.metrics.fd_infinity` estimates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import MOMENTS, Score, feature_metric
from ganvas.metrics.blocks import merged_moments
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


@dataclass(frozen=True)
class Moments:
    """Mean and unbiased covariance of a set of features.

    Args:
        mean: mean in feature units.
        covariance: symmetric, positive semi-definite, in squared feature units; may be singular.
    """

    mean: Float64[Tensor, " d"]
    covariance: Float64[Tensor, "d d"]

    @staticmethod
    def of(features: Float[Tensor, "n d"]) -> Moments:
        """Compute the moments of at least 2 rows in float64: by torch-fidelity's function, of a file in blocks."""
        if features.dtype == torch.float16:
            return Moments(*merged_moments(features))
        from torch_fidelity.metric_fid import fid_features_to_statistics  # here, as in moments_distance

        d = features.shape[1]
        found = fid_features_to_statistics(features.double())
        # With one feature numpy's covariance is a scalar; torch-fidelity needs a matrix.
        return Moments(torch.from_numpy(found["mu"]), torch.from_numpy(found["sigma"].reshape(d, d)))

    @cached_property
    def root(self) -> Float64[Tensor, "d d"]:
        """Symmetric square root of the covariance; eigenvalues that are negative by rounding are set to zero."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def moments_distance(real: Moments, fake: Moments) -> float:
    r"""Fréchet distance of two Gaussians by torch-fidelity's function.

    .. math:: \lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})

    Reference: Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500.

    Args:
        real: moments of real images' features.
        fake: moments of generated images' features.

    Returns:
        The squared distance, 0 for equal moments, in squared feature units.
    """
    # Imported here, since torch-fidelity brings torchvision and torch's compiler, and a report needs only names.
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    sides = [{"mu": m.mean.numpy(), "sigma": m.covariance.numpy()} for m in (real, fake)]
    return fid_statistics_to_metric(sides[0], sides[1], verbose=False)[KEY_METRIC_FID]


def frechet_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    r"""Fréchet distance of two sets of features: :func:`moments_distance` of their moments.

    Reference: Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500.

    Args:
        real: features of real images, n at least 2.
        fake: features of generated images, m at least 2.

    Returns:
        The squared distance, 0 for equal moments, in squared feature units.

    Raises:
        ValueError: a side has fewer than 2 images, or features are not finite.
    """
    require_images("the Fréchet distance", 2, real=real, fake=fake)
    return moments_distance(Moments.of(real), Moments.of(fake))


_ROWS: Final = 4096
"""Number of images processed at a time; bounds the memory of the float64 copies."""
_SINGULAR: Final = 1e-13
"""Eigenvalues below this share of the largest are rounding errors (float64, a few thousand dimensions)."""


def _transport(real: Moments, fake: Moments) -> Float64[Tensor, "d d"]:
    """Compute the linear map T; directions in which a side has no variance are left out."""
    values, vectors = torch.linalg.eigh(real.root @ fake.covariance @ real.root)
    kept = values > _SINGULAR * values[-1]
    half = real.root @ vectors[:, kept]
    return (half * values[kept].rsqrt()) @ half.T


def frechet_error(real: Moments, fake: Moments, features: Float[Tensor, "m d"]) -> float:
    r"""Standard error of the Fréchet distance over generated images.

    .. math:: \operatorname{sd}(\psi(x_i)) / \sqrt{m}

    Reference: Efron 1982, chapter 6, https://doi.org/10.1137/1.9781611970319; derivative of the matrix root's trace:
    Bhatia, Jain and Lim 2019, https://arxiv.org/abs/1712.01504.

    Args:
        real: moments of the reference, held fixed.
        fake: moments of ``features``.
        features: features of the generated images, m at least 2.

    Returns:
        Standard error, in squared feature units; 0 if all images are equal.
    """
    return influence_error(*influence_of(real, fake), fake.mean, features)


def influence_of(real: Moments, fake: Moments) -> tuple[Float64[Tensor, " d"], Float64[Tensor, "d d"]]:
    """Compute the derivatives of the distance by the mean and by the covariance of the fake side, 2(mu2 - mu1), I - T.

    Args:
        real: moments of the reference.
        fake: moments of the generated images.
    """
    shape = -_transport(real, fake)
    shape.diagonal().add_(1.0)
    return 2 * (fake.mean - real.mean), shape


def influence_error(
    push: Float64[Tensor, " d"], shape: Float64[Tensor, "d d"], mean: Float64[Tensor, " d"], features: Tensor
) -> float:
    """Compute the standard error over at least 2 images from their influence; see :func:`influences`."""
    return float(influences(push, shape, mean, features).std() / len(features) ** 0.5)


def influences(
    push: Float64[Tensor, " d"], shape: Float64[Tensor, "d d"], mean: Float64[Tensor, " d"], features: Tensor
) -> Float64[Tensor, " m"]:
    """Compute the influence of each image, ``push x + x shape x`` with x centred, up to a constant.

    Args:
        push: derivative by the mean.
        shape: derivative by the covariance, symmetric.
        mean: mean of the features.
        features: features of the images, ``(m, d)``.
    """
    return torch.cat([_pull(part.double() - mean, push, shape) for part in features.split(_ROWS)])


def _pull(
    centred: Float64[Tensor, "b d"], push: Float64[Tensor, " d"], shape: Float64[Tensor, "d d"]
) -> Float64[Tensor, " b"]:
    """Influence of each image, up to a constant."""
    return centred @ push + (centred @ shape).mul_(centred).sum(dim=1)


def _frechet(pair: Comparison) -> Score:
    pair.require_moments("the Fréchet distance")
    return Score(moments_distance(*pair.moments), error_of(pair), f"{pair.fake.n} generated images, first order")


def error_of(pair: Comparison) -> float:
    """Standard error of the distance over the generated images of a pair."""
    return frechet_error(*pair.moments, pair.fake.values)


_FULL_RANK: Final = SensibleN(
    1,
    "the covariance is singular, and a Fréchet distance is far above its value at 10,000 or more images, which its ± "
    "does not show",
    per="feature",
)
_OF_AUTHORS: Final = SensibleN(
    10_000,
    "a FID is far above its value at more images, which its ± does not show (the code of Heusel et al. recommends "
    "10,000 or more, and at least as many as features)",
)

METRICS = (
    feature_metric(
        "fd",
        MOMENTS,
        True,
        _frechet,
        "Fréchet distance on any extractor but the 2015 Inception",
        sensible_n=_FULL_RANK,
        in_blocks=True,
    ),
    feature_metric(
        "fid",
        MOMENTS,
        True,
        _frechet,
        "Fréchet distance on the 2015 Inception",
        sensible_n=_OF_AUTHORS,
        in_blocks=True,
    ),
    feature_metric(
        "sfid",
        MOMENTS,
        True,
        _frechet,
        "Fréchet distance on spatial features of the 2015 Inception (`extractor=inception_spatial`)",
        sensible_n=_FULL_RANK,
        in_blocks=True,
    ),
)
