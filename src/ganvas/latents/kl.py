r"""Kullback-Leibler divergence of a posterior from a prior, in closed form or estimated from draws.

For a diagonal normal and the standard normal it is, for each coordinate,

.. math::
    \mathrm{KL}\big(N(\mu_j, \sigma_j^2) \,\|\, N(0, 1)\big) = \tfrac{1}{2}(\mu_j^2 + \sigma_j^2 - 1) - \log \sigma_j.
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
