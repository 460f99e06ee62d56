r"""Use of codes: how many of them a data set has, and how evenly.

.. math:: \text{perplexity} = \exp\Bigl(-\sum_k p_k \log p_k\Bigr), \qquad p_k = n_k / \sum_j n_j,

is 1 if all places have the same code, and K if all codes are equally frequent.
"""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


def code_counts(codes: Int64[Tensor, "n l h w"], values: int) -> Int64[Tensor, "l k"]:
    """Count the codes of each level, over images and places.

    Args:
        codes: grids of codes.
        values: number K of values of a code.
    """
    return torch.stack([level.flatten().bincount(minlength=values) for level in codes.unbind(1)])


def perplexity(counts: Int64[Tensor, "l k"]) -> Float64[Tensor, " l"]:
    """Compute the perplexity of each level.

    Args:
        counts: number of each code, at least one code at each level.
    """
    shares = counts.double() / counts.sum(1, keepdim=True)
    return torch.special.entr(shares).sum(1).exp()


def used_codes(counts: Int64[Tensor, "l k"]) -> Int64[Tensor, " l"]:
    """Count the codes of each level that occur.

    Args:
        counts: number of each code.
    """
    return (counts > 0).sum(1)
