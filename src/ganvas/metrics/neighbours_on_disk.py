r"""Radii and membership (:mod:`ganvas.metrics.neighbours`) of features that are mapped from files.

.. math:: d^2(x_i, y_j) = \lVert x_i \rVert^2 + \lVert y_j \rVert^2 - 2 x_i^\top y_j

one tile of rows times columns at a time, in float64, after subtraction of the real side's mean. Memory does not grow
with the number of images; time grows with the product of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.blocks import blocks
from ganvas.metrics.design_effect import DesignEffect, counted, first_halves

TILE: Final = (4096, 2048)
"""Rows and columns of a tile: 64 MiB of distances."""


def mean_and_square(x: Float[Tensor, "n d"]) -> tuple[Float64[Tensor, " d"], float]:
    """Compute the mean, and the mean squared norm.

    Args:
        x: features, at least one row.
    """
    total, squares = torch.zeros(x.shape[1], dtype=torch.float64), 0.0
    for block in blocks(x):
        total += block.sum(0)
        squares += float(block.square().sum())
    return total / len(x), squares / len(x)


def tiles(
    rows: Float[Tensor, "b d"], columns: Float[Tensor, "m d"], centre: Float64[Tensor, " d"], tolerance: float
) -> Iterator[tuple[slice, Float64[Tensor, "b c"]]]:
    """Squared distances of some rows to all columns, a tile at a time.

    Args:
        rows: features of one block of images.
        columns: features of all images of a side.
        centre: subtracted from both, against cancellation.
        tolerance: squared distances up to this value are set to 0.

    Yields:
        Positions of the columns, and the tile, which the caller may change.
    """
    x = rows.double() - centre
    norms = x.square().sum(1, keepdim=True)
    for start in range(0, len(columns), TILE[1]):
        y = columns[start : start + TILE[1]].double() - centre
        found = torch.addmm(y.square().sum(1).expand(len(x), -1), x, y.T, alpha=-2).add_(norms)
        yield slice(start, start + len(y)), torch.threshold_(found, tolerance, 0.0)


def squared_radii_on_disk(
    x: Float[Tensor, "n d"], ks: Sequence[int], tolerance_of: float
) -> list[Float64[Tensor, " n"]]:
    """Squared distance of every row to its k-th nearest other row, for several k at once.

    Args:
        x: features of more images than the largest k.
        ks: values of k, each at least 1.
        tolerance_of: squared distances up to this share of the mean squared norm are set to 0.

    Returns:
        One vector for each k.
    """
    (centre, square), most, nearest = mean_and_square(x), max(ks), []
    for start in range(0, len(x), TILE[0]):
        rows = x[start : start + TILE[0]]
        best = torch.full((len(rows), most), torch.inf, dtype=torch.float64)
        for columns, tile in tiles(rows, x, centre, tolerance_of * square):
            if columns.start < start + len(rows) and start < columns.stop:
                tile.diagonal(offset=start - columns.start).fill_(torch.inf)  # rows that are columns too
            best = torch.cat([best, tile], 1).topk(most, dim=1, largest=False).values
        nearest.append(best[:, [k - 1 for k in ks]])
    return list(torch.cat(nearest).T.contiguous())


def cross_on_disk(
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    radii: tuple[Float64[Tensor, " n"], Float64[Tensor, " n"], Float64[Tensor, " m"]],
    tolerance_of: float,
    effects: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, float, float]:
    """Compute which images lie in which balls of the other side.

    Args:
        real: features of real images.
        fake: features of generated images.
        radii: squared radii of the closed and the open balls of the real side, and of the closed ones of the fake side.
        tolerance_of: see :func:`squared_radii_on_disk`.
        effects: whether to compute the design effects.

    Returns:
        The fields of :class:`~ganvas.metrics.neighbours.Membership`, in their order.
    """
    closed, opened, fakes = radii
    (centre, square), (_, other) = mean_and_square(real), mean_and_square(fake)
    in_real, balls = torch.zeros(len(fake), dtype=torch.bool), torch.zeros(len(fake), dtype=torch.int64)
    in_fake, found = torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
    in_fakes, reached = DesignEffect(), DesignEffect()
    for start in range(0, len(real), TILE[0]):
        own = slice(start, min(start + TILE[0], len(real)))
        by_near, by_within = torch.zeros(()), torch.zeros(())
        for columns, tile in tiles(real[own], fake, centre, tolerance_of * max(square, other)):
            in_real[columns] |= (tile <= closed[own, None]).any(0)
            within = tile < opened[own, None]
            balls[columns] += within.sum(0)
            near = tile <= fakes[columns]
            in_fake[own] |= near.any(1)
            found[own] |= within.any(1)
            if effects:
                halves = first_halves(columns.start, columns.stop)
                by_near, by_within = by_near + counted(near, halves), by_within + counted(within, halves)
        if effects:
            in_fakes.add(by_near)
            reached.add(by_within)
    return in_real, in_fake, balls, found, in_fakes.ratio(), reached.ratio()
