r"""Fréchet distance between two sets of features, each summarised by a Gaussian.

.. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
    + \operatorname{tr} \big( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \big)

with unbiased covariances. On one-dimensional features this is :math:`(m_1 - m_2)^2 + (s_1 - s_2)^2`. On the 2015
Inception it is the Fréchet Inception Distance. It is biased upwards at finite n, so that numbers at different n do not
compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from ganvas.metrics.validation import require_images


@dataclass(frozen=True)
class Moments:
    """Mean and unbiased covariance: all that the Fréchet distance knows of a set.

    Args:
        mean: in feature units.
        covariance: symmetric, positive semi-definite, in squared feature units; may be singular.
    """

    mean: Float64[Tensor, " d"]
    covariance: Float64[Tensor, "d d"]

    @staticmethod
    def of(features: Float[Tensor, "n d"]) -> Moments:
        """Moments by torch-fidelity's function, in float64.

        Args:
            features: at least 2 rows.

        Returns:
            Mean and covariance.
        """
        d = features.shape[1]
        found = fid_features_to_statistics(features.double())
        # One feature: numpy's covariance is a scalar, torch-fidelity wants a matrix.
        return Moments(torch.from_numpy(found["mu"]), torch.from_numpy(found["sigma"].reshape(d, d)))

    @cached_property
    def root(self) -> Float64[Tensor, "d d"]:
        """Symmetric square root of the covariance; eigenvalues that rounding left below zero count as zero."""
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
        ValueError: fewer than 2 images a side, or features that are not finite.
    """
    require_images("the Fréchet distance", 2, real=real, fake=fake)
    return moments_distance(Moments.of(real), Moments.of(fake))
