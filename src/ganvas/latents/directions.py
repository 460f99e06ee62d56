r"""Directions of the latent space that the first layer of a decoder answers most.

A step :math:`\alpha n` changes the output of a layer :math:`W z + b` by :math:`\alpha W n`, wherever it starts. The
directions of largest change,

.. math:: \max_{n^T n = 1} \|W n\|^2,

are the eigenvectors of :math:`W^T W` in the order of their eigenvalues.

Reference: Shen & Zhou 2021 (SeFa), equations 3 to 5, https://arxiv.org/abs/2007.06600.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def strongest_directions(weight: Float[Tensor, "m d"]) -> Float[Tensor, "d d"]:
    """Compute the directions, one a row, the strongest first.

    Args:
        weight: weights of the layer that takes the latents, ``(outputs, latents)``.

    Returns:
        Unit vectors; of the two signs, the one whose largest component is positive.
    """
    w = weight.detach().double()
    _, vectors = torch.linalg.eigh(w.T @ w)  # by rising eigenvalue, one a column
    found = vectors.T.flip(0)
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return (found * largest.sign()).to(weight.dtype)
