r"""Nearest neighbours, computed in blocks, so that memory does not grow with the product of the two sides.

.. math:: j^*(x) = \arg\min_j \lVert x - r_j \rVert = \arg\min_j \tfrac12 \lVert r_j \rVert^2 - x^\top r_j
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

_BLOCK = 2**24
"""Number of inner products in a block: 64 MiB in float32."""


def nearest(
    queries: Float[Tensor, "n d"], reference: Float[Tensor, "m d"], own: Int64[Tensor, " n"] | None
) -> tuple[Float64[Tensor, " n"], Int64[Tensor, " n"]]:
    r"""Find the nearest reference vector of each query, and its distance.

    .. math:: \min_{j \ne \text{own}(i)} \lVert x_i - r_j \rVert

    The search is in float32 on centred vectors and may return a neighbour that is nearest only up to float32 rounding.
    The distance to the returned neighbour is computed in float64, so that a copy has distance 0.

    Args:
        queries: feature vectors.
        reference: feature vectors, at least one, or two if ``own`` is given.
        own: position of each query in ``reference``, which its search leaves out; None if the queries are not from
            ``reference``.

    Returns:
        Euclidean distances and positions in ``reference``.
    """
    centre = reference.double().mean(0)
    centred = (reference.double() - centre).float()
    half_squares = centred.square().sum(1) / 2
    found = []
    for rows in torch.arange(len(queries)).split(max(1, _BLOCK // len(reference))):
        x = (queries[rows].double() - centre).float()
        score = torch.addmm(half_squares, x, centred.T, alpha=-1)
        if own is not None:
            score[torch.arange(len(rows)), own[rows]] = math.inf
        found.append(score.argmin(1))
    index = torch.cat(found)
    return _distance(queries, reference, index), index


def _distance(queries: Tensor, reference: Tensor, index: Tensor) -> Float64[Tensor, " n"]:
    parts = zip(queries.split(4096), index.split(4096), strict=True)
    return torch.cat([(x.double() - reference[i].double()).norm(dim=1) for x, i in parts])
