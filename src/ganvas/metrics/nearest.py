r"""Nearest neighbours, computed in blocks, so that memory does not grow with the product of the two sides.

.. math:: j^*(x) = \arg\min_j \lVert x - r_j \rVert = \arg\min_j \tfrac12 \lVert r_j \rVert^2 - x^\top r_j
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ganvas.metrics.neighbours_on_disk import mean_and_square

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
    if torch.float16 in (queries.dtype, reference.dtype):
        index = _in_blocks(queries, reference, own)
        return _distance(queries, reference, index), index
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


_ROWS, _COLUMNS = 4096, 4096
"""Queries and reference vectors of a block of features in a file."""


def _in_blocks(queries: Tensor, reference: Tensor, own: Tensor | None) -> Int64[Tensor, " n"]:
    """Find the nearest reference vectors by the same search, for vectors that are read from files in blocks."""
    centre, found = mean_and_square(reference)[0], []
    for rows in torch.arange(len(queries)).split(_ROWS):
        x = (queries[rows].double() - centre).float()
        best, index = torch.full((len(rows),), math.inf), torch.zeros(len(rows), dtype=torch.int64)
        for start in range(0, len(reference), _COLUMNS):
            y = (reference[start : start + _COLUMNS].double() - centre).float()
            score = torch.addmm(y.square().sum(1) / 2, x, y.T, alpha=-1)
            if own is not None:
                mine = own[rows] - start
                here = (mine >= 0) & (mine < len(y))
                score[here, mine[here]] = math.inf
            least, position = score.min(1)
            index = torch.where(least < best, position + start, index)
            best = torch.minimum(best, least)
        found.append(index)
    return torch.cat(found)


def _distance(queries: Tensor, reference: Tensor, index: Tensor) -> Float64[Tensor, " n"]:
    parts = zip(queries.split(4096), index.split(4096), strict=True)
    return torch.cat([(x.double() - reference[i].double()).norm(dim=1) for x, i in parts])
