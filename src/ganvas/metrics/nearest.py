r"""Nearest neighbours in blocks: memory does not grow with the product of the two sides.

.. math:: j^*(x) = \arg\min_j \lVert x - r_j \rVert = \arg\min_j \tfrac12 \lVert r_j \rVert^2 - x^\top r_j
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

_BLOCK = 2**24
"""Products at a time: 64 MiB in float32."""


def nearest(
    queries: Float[Tensor, "n d"], reference: Float[Tensor, "m d"], own: Int64[Tensor, " n"] | None
) -> tuple[Float64[Tensor, " n"], Int64[Tensor, " n"]]:
    r"""Distance to the nearest reference vector, and which one it is.

    .. math:: \min_{j \ne \text{own}(i)} \lVert x_i - r_j \rVert

    The search is in float32 on centred vectors and may take a neighbour that is nearest but for rounding; the distance
    of the one taken is exact, so that a copy is at 0.

    Args:
        queries: feature vectors.
        reference: feature vectors, at least one that is not a query's own.
        own: position in ``reference`` that each query may not find, where it is taken from there; None for no such.

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
