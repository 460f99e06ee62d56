r"""Importance weights of latents drawn from the posterior, and the bound that follows from their mean.

.. math::
    \log w_i = \log p(x \mid z_i) + \log p(z_i) - \log q(z_i \mid x), \quad z_i \sim q(z \mid x), \qquad
    \log p(x) \ge \mathbb{E} \log \frac{1}{k} \sum_{i=1}^{k} w_i.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def log_weights(
    log_px_z: Float[Tensor, "k n"], log_pz: Float[Tensor, "k n"], log_qz_x: Float[Tensor, "k n"]
) -> Float[Tensor, "k n"]:
    r"""Compute the log importance weights, :math:`\log w`; their mean over k is the sampled ELBO.

    Args:
        log_px_z: log-likelihood of the examples, nats, shape ``(k, n)``.
        log_pz: log density of the latents under the prior, nats.
        log_qz_x: log density of the latents under the posterior, nats.

    Returns:
        Nats, shape ``(k, n)``.
    """
    return log_px_z + log_pz - log_qz_x


def iwae_bound(log_w: Float[Tensor, "k n"]) -> Float[Tensor, " n"]:
    r"""Compute the k-sample bound, :math:`\log \frac1k \sum_i w_i`; for k = 1 it is the one-sample ELBO.

    Reference:
        Burda et al. 2016, eq. 8, https://arxiv.org/abs/1509.00519

    Args:
        log_w: log weights, nats, shape ``(k, n)``.

    Returns:
        Nats for each example, shape ``(n,)``.
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
