r"""Kullback-Leibler divergence of a posterior from a prior, in closed form or estimated from draws.

For a diagonal normal and the standard normal it is, for each coordinate,

.. math::
    \mathrm{KL}\big(N(\mu_j, \sigma_j^2) \,\|\, N(0, 1)\big) = \tfrac{1}{2}(\mu_j^2 + \sigma_j^2 - 1) - \log \sigma_j.

With a Cholesky factor :math:`L` of the covariance in the place of :math:`\sigma`, the chain rule gives each coordinate
its part, the mean divergence of :math:`q(z_j \mid z_1, \dots, z_{j-1})`:

.. math:: \tfrac{1}{2} \Big( \mu_j^2 + \sum_{i \le j} L_{ji}^2 - 1 \Big) - \log L_{jj}.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import widen


def normal_kl(mean: Float[Tensor, "n d"], std: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Compute the closed form for each latent coordinate; it is not summed, because free bits need each coordinate.

    Reference:
        Kingma and Welling 2014, appendix B, https://arxiv.org/abs/1312.6114

    Args:
        mean: means of the posterior, shape ``(n, d)``.
        std: standard deviations of the posterior, positive, shape ``(n, d)``.

    Returns:
        Nats, at least 0, shape ``(n, d)``.
    """
    mean, std = widen(mean), widen(std)
    return (mean.square() + std.square() - 1) / 2 - torch.log(std)


def cholesky_kl(mean: Float[Tensor, "n d"], factor: Float[Tensor, "n d d"]) -> Float[Tensor, "n d"]:
    """Compute the divergence of a normal with a full covariance from N(0, I), split by the chain rule.

    Reference: Cover & Thomas 2006, theorem 2.5.3 (chain rule)

    Args:
        mean: means of the posterior.
        factor: lower triangular Cholesky factors of its covariance, with a positive diagonal.

    Returns:
        Nats, at least 0; the sum over coordinates is the divergence.
    """
    mean, factor = widen(mean), widen(factor)
    diagonal = factor.diagonal(dim1=-2, dim2=-1)
    return (mean.square() + factor.square().sum(-1) - 1) / 2 - torch.log(diagonal)


def estimated_kl(log_qz_x: Float[Tensor, "k n"], log_pz: Float[Tensor, "k n"]) -> Float[Tensor, "n 1"]:
    r"""Estimate the divergence without bias from draws of the posterior, for all coordinates together.

    .. math:: \widehat{\mathrm{KL}} = \frac{1}{k} \sum_{i=1}^{k} \log q(z_i \mid x) - \log p(z_i),
        \qquad z_i \sim q(z \mid x)

    Args:
        log_qz_x: log density of the draws under the posterior, nats.
        log_pz: log density of the draws under the prior, nats.

    Returns:
        Nats, one column; an estimate may be negative.
    """
    return (log_qz_x - log_pz).mean(dim=0)[:, None]
