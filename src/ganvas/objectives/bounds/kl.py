r"""Kullback-Leibler divergence of a diagonal normal from the standard normal, coordinate by coordinate.

.. math::
    \mathrm{KL}\big(N(\mu_j, \sigma_j^2) \,\|\, N(0, 1)\big) = \tfrac{1}{2}(\mu_j^2 + \sigma_j^2 - 1) - \log \sigma_j.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.precision import widen


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
