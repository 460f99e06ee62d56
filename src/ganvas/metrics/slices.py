r"""Slices of two sets of features: their projections onto random directions, sorted.

Between two sets of n numbers the optimal transport pairs the smallest with the smallest, and so on, so that sorting
solves it:

.. math:: W_p^p = \frac1n \sum_j \lvert x_{(j)} - y_{(j)} \rvert^p

If one side has more images, as many as the other has are drawn from it, once for all directions.

The influence of an image y on the distance along one direction is the potential of the transport, whose slope is
:math:`p \, \lvert y - T(y) \rvert^{p - 1} \operatorname{sign} (y - T(y))` with T the transport of y onto x. It is
summed up along the sorted y by the trapezoid rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison

BYTES: Final = 64 * 2**20
"""Memory of the projections onto a block of directions, bytes."""


@final
@dataclass(frozen=True)
class Sliced:
    """Mean distance over directions.

    Args:
        value: mean over the directions of :math:`W_p^p`.
        error: standard error over generated images, first order, with the reference and the directions held fixed.
        n: number of images of each side.
    """

    value: float
    error: float
    n: int


def sliced_of(pair: Comparison, metric: str, *, power: int, directions: int) -> Sliced:
    """Compute :func:`sliced` of a pair's features, with the seed of its settings.

    Args:
        pair: the features of both sides.
        metric: name of the metric, for messages.
        power: the p of the distance, 1 or 2.
        directions: number of directions, at least 1.

    Raises:
        ValueError: only the moments of a side are known, or it has fewer than 2 images.
    """
    real, fake = pair.real_features(metric).values, pair.fake.values
    require_images(metric, 2, real=real, fake=fake)
    return sliced(real, fake, power=power, directions=directions, seed=pair.settings.seed)


def sliced(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, power: int, directions: int, seed: int) -> Sliced:
    """Average the distance along random directions, as torch-fidelity draws them.

    Args:
        real: features of real images.
        fake: features of generated images, m and n at least 2.
        power: the p of the distance, 1 or 2.
        directions: number of directions, at least 1.
        seed: seed of subsets and directions; the global random state is not used.
    """
    generator = torch.Generator().manual_seed(seed)
    n = min(len(real), len(fake))
    # The generated images first, as torch-fidelity takes them.
    y, x = (
        side if len(side) == n else side[torch.randperm(len(side), generator=generator)[:n]] for side in (fake, real)
    )
    drawn = torch.randn(directions, x.shape[1], generator=generator)
    drawn = drawn / drawn.norm(dim=1, keepdim=True).clamp_min(1e-12)
    total, influence = 0.0, torch.zeros(n, dtype=torch.float64)
    for gap, potential in _slices(x.double(), y.double(), drawn.double(), power):
        total += gap
        influence += potential
    return Sliced(total / directions, float(influence.std()) / directions / n**0.5, n)


def _slices(
    x: Float64[Tensor, "n d"], y: Float64[Tensor, "n d"], directions: Float64[Tensor, "k d"], power: int
) -> Iterator[tuple[float, Float64[Tensor, " n"]]]:
    """Yield for each block of directions the sum of the distances, and the sum of the potentials of each y."""
    for block in directions.split(max(1, BYTES // (8 * len(x)))):
        a = (x @ block.T).sort(dim=0).values
        b, order = (y @ block.T).sort(dim=0)
        gap = b - a
        steps = power * gap.abs() ** (power - 1) * gap.sign()
        rises = torch.zeros_like(b)
        rises[1:] = (b[1:] - b[:-1]) * (steps[1:] + steps[:-1]) / 2
        potentials = rises.cumsum(dim=0)
        potentials -= potentials.mean(dim=0)
        by_image = torch.zeros_like(potentials).scatter_(0, order, potentials)
        yield float(gap.abs().pow(power).mean(dim=0).sum()), by_image.sum(dim=1)
