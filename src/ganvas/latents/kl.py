r"""Divergence (Kullback-Leibler) of a posterior from a prior: in closed form, or estimated from draws.

Of a diagonal normal from the standard normal, coordinate by coordinate,

.. math::
    \mathrm{KL}\big(N(\mu_j, \sigma_j^2) \,\|\, N(0, 1)\big) = \tfrac{1}{2}(\mu_j^2 + \sigma_j^2 - 1) - \log \sigma_j.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import widen


def normal_kl(mean: Float[Tensor, "n d"], std: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Analytic KL of each latent coordinate, not summed: free bits act on single ones.

    Reference:
        Kingma and Welling 2014, appendix B, https://arxiv.org/abs/1312.6114

    Args:
        mean: shape ``(n, d)``.
        std: positive, shape ``(n, d)``.

    Returns:
        Nats, zero or more, shape ``(n, d)``.
    """
    mean, std = widen(mean), widen(std)
    return (mean.square() + std.square() - 1) / 2 - torch.log(std)


def estimated_kl(log_qz_x: Float[Tensor, "k n"], log_pz: Float[Tensor, "k n"]) -> Float[Tensor, "n 1"]:
    r"""Unbiased estimate from draws of the posterior, for all coordinates together; single ones may be negative.

    .. math:: \widehat{\mathrm{KL}} = \frac{1}{k} \sum_{i=1}^{k} \log q(z_i \mid x) - \log p(z_i),
        \qquad z_i \sim q(z \mid x)

    Args:
        log_qz_x: log density of the draws under the posterior, nats.
        log_pz: log density of the draws under the prior, nats.

    Returns:
        Nats.
    """
    return (log_qz_x - log_pz).mean(dim=0)[:, None]
