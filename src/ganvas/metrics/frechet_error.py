r"""How far the Fréchet distance would move with other generated images: its influence function.

A sample :math:`x` pulls the distance by, with :math:`T = \Sigma_1^{1/2} (\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2})^{-1/2}
\Sigma_1^{1/2}`, the map that transports the fake Gaussian onto the real one,

.. math:: \psi(x) = 2 (\mu_2 - \mu_1)^\top (x - \mu_2) + (x - \mu_2)^\top (I - T) (x - \mu_2) + \text{const},
    \qquad \widehat{\mathrm{se}} = \operatorname{sd}(\psi) / \sqrt{m}

(the infinitesimal jackknife). One pass and one eigendecomposition replace a bootstrap's many, nothing is random, and it
is closer to the truth: a bootstrap of 20 overstated the deviation two- to threefold where m < d or the distance was
near its floor. It is first order, over generated images with the reference held, and does not know the bias of
the distance at finite m (:mod:`ganvas.metrics.fd_infinity` does).
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.frechet import Moments

_ROWS: Final = 4096
"""Images at a time: bounds the memory of the float64 copies."""
_SINGULAR: Final = 1e-13
"""Eigenvalues below this share of the largest are rounding (float64, a few thousand dimensions)."""


def _transport(real: Moments, fake: Moments) -> Float64[Tensor, "d d"]:
    """The linear map T; directions in which either side has no variance are left out."""
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
        real: moments of the reference, taken as they are.
        fake: moments of ``features``.
        features: of the generated images, m at least 2.

    Returns:
        Standard error, in squared feature units; 0 where all images are equal.
    """
    shape = -_transport(real, fake)
    shape.diagonal().add_(1.0)
    push = 2 * (fake.mean - real.mean)
    pulls = [_pull(part.double() - fake.mean, push, shape) for part in features.split(_ROWS)]
    return float(torch.cat(pulls).std() / len(features) ** 0.5)


def _pull(
    centred: Float64[Tensor, "b d"], push: Float64[Tensor, " d"], shape: Float64[Tensor, "d d"]
) -> Float64[Tensor, " b"]:
    """Influence of each image, up to a constant."""
    return centred @ push + (centred @ shape).mul_(centred).sum(dim=1)
