r"""Nearest neighbours in feature space, computed in blocks and shared by precision, recall, density and coverage.

.. math:: r_k(x) = \text{distance from } x \text{ to its } k\text{-th nearest other image of its own side}

and then which images lie in which balls :math:`B(x, r_k(x))`. Squared distances are computed as
:math:`\lVert x \rVert^2 + \lVert y \rVert^2 - 2 x^\top y` in float64, after subtraction of the real side's mean. A
distance below :math:`10^{-6}` of the features' root mean square norm comes from the extractor's float32 rounding and is
set to 0, so that copies of an image are at distance 0. One block of rows is in memory at a time, 64 MiB for any n, m.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from ganvas.metrics.design_effect import DesignEffect, counted, first_halves
from ganvas.metrics.neighbours_on_disk import cross_on_disk, squared_radii_on_disk
from ganvas.metrics.validation import require_images

BLOCK_BYTES: Final = 64 * 2**20
"""Memory of one block of distances, in bytes."""
_ROUNDING: Final = 1e-6
"""Relative resolution of float32 features, with a margin."""


@dataclass(frozen=True)
class Membership:
    """Membership of the images of each side in the balls of the other side.

    Args:
        fake_in_real: whether the generated image lies in the closed ball of a real image (k of precision).
        real_in_fake: whether the real image lies in the closed ball of a generated image (k of recall).
        real_balls: number of real images whose open balls contain the generated image (k of density).
        real_reached: whether the open ball of the real image contains a generated image (k of coverage).
        in_fake_effect: design effect of the share of ``real_in_fake``, see :mod:`ganvas.metrics.design_effect`; NaN if
            it is not computed.
        reached_effect: design effect of the share of ``real_reached``, or NaN.
    """

    fake_in_real: Bool[Tensor, " m"]
    real_in_fake: Bool[Tensor, " n"]
    real_balls: Int64[Tensor, " m"]
    real_reached: Bool[Tensor, " n"]
    in_fake_effect: float
    reached_effect: float


@dataclass(frozen=True)
class Radii:
    """Squared radii of the balls of one side; they depend on this side only.

    Args:
        closed: squared radii of the closed balls, for precision and recall.
        opened: squared radii of the open balls, for density and coverage.
    """

    closed: Float64[Tensor, " n"]
    opened: Float64[Tensor, " n"]


def radii(x: Float[Tensor, "n d"], *, prc_neighbours: int, dc_neighbours: int) -> Radii:
    r"""Squared distance of every image to its k-th nearest other image, for both k in one pass.

    .. math:: r_k(x_i)^2 = k\text{-th smallest of } \lVert x_i - x_j \rVert^2, \; j \ne i

    Args:
        x: features of one side, n above both k.
        prc_neighbours: k of the closed balls, at least 1.
        dc_neighbours: k of the open balls, at least 1.
    """
    ks = (prc_neighbours, dc_neighbours)
    if x.dtype == torch.float16:
        return Radii(*squared_radii_on_disk(x, ks, _ROUNDING**2))
    values = x.double()
    tolerance = _ROUNDING**2 * _mean_square(values)
    found = squared_radii(values - values.mean(dim=0), ks, tolerance, BLOCK_BYTES)
    return Radii(*found)


def membership(
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    *,
    prc_neighbours: int,
    dc_neighbours: int,
    real_radii: Radii | None = None,
    effects: bool = True,
) -> Membership:
    r"""Compute which images lie in which balls, from the radii of both sides and the distances between the sides.

    Reference: Kynkäänniemi et al. 2019, equation 1, https://arxiv.org/abs/1904.06991 (closed balls);
    Naeem et al. 2020, section 3, https://arxiv.org/abs/2002.09797 (open balls).

    Args:
        real: features of real images, n above both k.
        fake: features of generated images, m above both k.
        prc_neighbours: k of the closed balls of both sides, at least 1.
        dc_neighbours: k of the open balls of the real side, at least 1.
        real_radii: :func:`radii` of the real side with the same two k; None computes them.
        effects: whether to compute the design effects, which takes a third longer.

    Raises:
        ValueError: there are too few images, or features are not finite.
    """
    most = max(prc_neighbours, dc_neighbours)
    require_images(f"{most} nearest neighbours", most + 1, real=real, fake=fake)
    ks = {"prc_neighbours": prc_neighbours, "dc_neighbours": dc_neighbours}
    sides = {"real": radii(real, **ks) if real_radii is None else real_radii, "fake": radii(fake, **ks)}
    for side, found in sides.items():
        _warn_of_copies(side, found.closed, prc_neighbours)
    known = sides["real"]
    if torch.float16 in (real.dtype, fake.dtype):
        balls = (known.closed, known.opened, sides["fake"].closed)
        return Membership(*cross_on_disk(real, fake, balls, _ROUNDING**2, effects))
    a, b, tolerance = centred(real, fake)
    return _cross(a, b, tolerance, (known.closed.numpy(), known.opened.numpy(), sides["fake"].closed.numpy()), effects)


def squared_radii(
    x: Float64[Tensor, "n d"], ks: tuple[int, ...], tolerance: float, block_bytes: int
) -> list[Float64[Tensor, " n"]]:
    """Squared distance of every row to its k-th nearest other row, for several k at once.

    Args:
        x: more rows than the largest k.
        ks: values of k, each at least 1.
        tolerance: squared distances up to this value are set to 0.
        block_bytes: memory of one block, in bytes.

    Returns:
        One vector for each k.
    """
    nearest = []
    for start, block in squared_distances(x, x, tolerance, block_bytes):
        block.diagonal(offset=start).fill_(torch.inf)
        nearest.append(block.topk(max(ks), dim=1, largest=False).values[:, [k - 1 for k in ks]])
    return list(torch.cat(nearest).T.contiguous())


def squared_distances(
    x: Float64[Tensor, "n d"], y: Float64[Tensor, "m d"], tolerance: float, block_bytes: int
) -> Iterator[tuple[int, Float64[Tensor, "b m"]]]:
    """Squared distances from the rows of ``x`` to the rows of ``y``, for a block of rows of ``x`` at a time.

    Args:
        x: vectors in rows.
        y: vectors in rows.
        tolerance: squared distances up to this value are set to 0.
        block_bytes: memory of one block, in bytes; a block holds at least one row.

    Yields:
        Index of the block's first row in ``x``, and the block. The caller may change the block; the next block reuses
        its memory.
    """
    rows = max(1, block_bytes // (8 * len(y)))
    norms, columns = y.square().sum(dim=1), y.T
    # One buffer for all blocks, since the system clears newly allocated memory.
    buffer = torch.empty(min(rows, len(x)), len(y), dtype=torch.float64)
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        block = torch.addmm(norms.expand(len(part), -1), part, columns, alpha=-2, out=buffer[: len(part)])
        block.add_(part.square().sum(1, keepdim=True))
        yield start, torch.threshold_(block, tolerance, 0.0)


def centred(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]
) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, "m d"], float]:
    """Subtract the real mean from both sides in float64, against cancellation, and compute the tolerance.

    Args:
        real: features of real images, at least one.
        fake: features of generated images, at least one.

    Returns:
        Both sides, and the tolerance that :func:`squared_distances` takes.
    """
    a, b = real.double(), fake.double()
    mean = a.mean(dim=0)
    a, b = a - mean, b - mean
    # Rounding is relative to the extractor's output, before the mean is subtracted.
    return a, b, _ROUNDING**2 * max(_mean_square(x.double()) for x in (real, fake))


def _mean_square(x: Tensor) -> float:
    return float(x.square().sum(dim=1).mean())


def _warn_of_copies(side: str, closed: Tensor, k: int) -> None:
    """Warn if images have so many copies that their balls are points."""
    zero = int((closed == 0).sum())
    if zero:
        warnings.warn(
            f"{side}: {zero} of {len(closed)} images have {k} copies or more; their balls have radius 0: for "
            "precision and recall they contain exact copies only, for density and coverage they are empty",
            stacklevel=3,
        )


def _cross(
    real: Tensor, fake: Tensor, tolerance: float, radii: tuple[np.ndarray, np.ndarray, np.ndarray], effects: bool
) -> Membership:
    """Compare distances between the sides with the radii; numpy reduces booleans several times faster than torch."""
    closed, opened, fakes = radii
    in_real, balls = np.zeros(len(fake), dtype=bool), np.zeros(len(fake), dtype=np.int64)
    in_fake, found = np.zeros(len(real), dtype=bool), np.zeros(len(real), dtype=bool)
    halves, in_fakes, reached = first_halves(0, len(fake)), DesignEffect(), DesignEffect()
    for start, block in squared_distances(real, fake, tolerance, BLOCK_BYTES):
        d, rows = block.numpy(), slice(start, start + len(block))
        near, inside = d <= fakes, d < opened[rows, None]
        in_real |= (d <= closed[rows, None]).any(axis=0)
        balls += np.count_nonzero(inside, axis=0)
        in_fake[rows] = near.any(axis=1)
        found[rows] = inside.any(axis=1)
        if effects:
            in_fakes.add(counted(torch.from_numpy(near), halves))
            reached.add(counted(torch.from_numpy(inside), halves))
    flags = torch.from_numpy(in_real), torch.from_numpy(in_fake)
    counts = torch.from_numpy(balls), torch.from_numpy(found)
    return Membership(*flags, *counts, in_fakes.ratio(), reached.ratio())
