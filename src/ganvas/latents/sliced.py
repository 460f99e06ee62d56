r"""The sliced Wasserstein distance of two sets of latents: optimal transport on lines in random directions.

.. math:: \mathrm{SW}_2^2(Q, P) = \mathbb{E}_{\theta \sim U(S^{d-1})}\, W_2^2(\theta \cdot z,\; \theta \cdot y)
    = \mathbb{E}_\theta \frac1n \sum_{i=1}^{n} \big( (\theta \cdot z)_{[i]} - (\theta \cdot y)_{[i]} \big)^2,

where :math:`[i]` is the i-th of the sorted projections: on a line, sorting is the optimal transport.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.types import widen


def random_directions(n: int, like: Float[Tensor, "m d"]) -> Float[Tensor, "n d"]:
    """Draw directions from the uniform distribution on the sphere, by the global random generator.

    Args:
        n: number of directions.
        like: latents of the same dimension, device and type.
    """
    return torch.nn.functional.normalize(torch.randn(n, like.shape[1], device=like.device, dtype=like.dtype), dim=1)


def sliced_wasserstein(
    a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], directions: Float[Tensor, "l d"]
) -> Float[Tensor, ""]:
    """Compute the mean over directions of the squared Wasserstein-2 distance of the projections.

    Reference: Kolouri et al. 2018, section 3, https://arxiv.org/abs/1804.01947

    Args:
        a: draws of one distribution.
        b: as many draws of the other.
        directions: unit vectors.
    """
    a, b = (widen(latents) @ widen(directions).T for latents in (a, b))
    return (a.sort(dim=0).values - b.sort(dim=0).values).square().mean()
