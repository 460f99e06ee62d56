r"""Sums over the rows of features that are mapped from a file, in blocks of bounded memory, in float64.

The moments of two blocks of :math:`n_a` and :math:`n_b` rows, with sums of squares
:math:`M = \sum_i (x_i - \bar x)(x_i - \bar x)^\top`, are merged to those of both:

.. math:: \delta = \bar x_b - \bar x_a, \qquad \bar x = \bar x_a + \frac{n_b}{n} \delta, \qquad
    M = M_a + M_b + \frac{n_a n_b}{n} \delta \delta^\top, \qquad n = n_a + n_b.

No number is the difference of two large sums, unlike in :math:`\sum x x^\top - n \bar x \bar x^\top`.

Reference: Chan, Golub and LeVeque 1983, equations 2.1, https://doi.org/10.1080/00031305.1983.10483115.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

BYTES: Final = 64 * 2**20
"""Memory of one block in float64, in bytes."""


def rows_of(x: Float[Tensor, "n d"]) -> int:
    """Number of rows in a block."""
    return max(1, BYTES // (8 * x.shape[1]))


def blocks(x: Float[Tensor, "n d"]) -> Iterator[Float64[Tensor, "b d"]]:
    """Yield the rows in blocks, in float64.

    Args:
        x: features, usually mapped from a file.
    """
    return (part.double() for part in x.split(rows_of(x)))


def all_finite(x: Float[Tensor, "n d"]) -> bool:
    """Tell whether all features are finite."""
    return all(bool(part.isfinite().all()) for part in x.split(rows_of(x)))


def merged_moments(x: Float[Tensor, "n d"]) -> tuple[Float64[Tensor, " d"], Float64[Tensor, "d d"]]:
    """Compute mean and unbiased covariance.

    Args:
        x: features of at least 2 images.
    """
    n, mean, squares = 0, torch.zeros(x.shape[1], dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for block in blocks(x):
        own = block.mean(0)
        block = block - own  # not in place: rows in float64 are no copy
        delta, both = own - mean, n + len(block)
        squares = squares + block.T @ block + torch.outer(delta, delta) * (n * len(block) / both)
        mean, n = mean + delta * (len(block) / both), both
    return mean, squares / (n - 1)
