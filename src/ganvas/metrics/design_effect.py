r"""Design effect: how much more a share of real images varies with the samples than a share of independent images.

Recall and coverage are shares of real images that samples reach. With the reference held, they vary with the samples
only, and one sample can reach many real images, so that these do not vary independently. The samples are split at
random into two halves, and the shares a, b of real images that each half reaches are compared:

.. math:: \mathrm{deff} = \frac{\operatorname{E} (a - b)^2 / 2}
    {\operatorname{E} [a (1 - a) + b (1 - b)] / 2 n}, \qquad
    \mathrm{SE}^2 = \mathrm{deff} \, \frac{C (1 - C)}{n - 1}

with C the share that all samples reach, and expectations over the splits. The numerator is the variance at half of the
samples, without a bias if the regions that samples reach are held; that the ratio is the same for all of the samples is
an approximation. In simulations (normal distributions in 3 to 64 dimensions, 400 to 1,000 images a side) the error is
0.9 to 1.2 times the true deviation where neither nearly all nor nearly no images are reached, and 1.5 times for the
coverage of a perfect model in 64 dimensions; without the effect it is 0.45 to 1. Recall of a GAN's digits on the
embedded extractor (2,500 on each side, 24 redraws) has a true deviation of 0.044, this error is 0.047, and without the
effect it is 0.010: a few samples far from the others have large balls. With 5,000 on each side (8 redraws) it is too
large: 0.041, and the true deviation 0.020; that of coverage is right, 0.0045 and 0.0047.

Reference: Kish 1965, Survey Sampling, section 8.2.
"""

from __future__ import annotations

import math
from typing import Final, final

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

SPLITS: Final = 64
"""Number of random splits."""
_BLOCK: Final = 2048
"""Samples whose halves are drawn together, an even number."""


def first_halves(start: int, stop: int) -> Float32[Tensor, "b s"]:
    """Draw which samples are in the first half of each split: one of each pair of neighbours.

    Args:
        start: position of the first sample.
        stop: position after the last sample.

    Returns:
        1 for the samples of the first half, else 0.
    """
    begin = start - start % _BLOCK
    drawn = torch.cat([_block(at) for at in range(begin, stop, _BLOCK)])
    return drawn[start - begin : stop - begin]


def _block(start: int) -> Float32[Tensor, "b s"]:
    generator = torch.Generator().manual_seed(start)
    drawn = torch.randint(2, (_BLOCK // 2, SPLITS), generator=generator, dtype=torch.float32)
    return torch.stack([drawn, 1 - drawn], 1).flatten(0, 1)


@final
class DesignEffect:
    """Real images that each half of the samples reaches, counted a block of real images at a time."""

    def __init__(self) -> None:
        self._n = 0
        self._reached = torch.zeros(2, SPLITS, dtype=torch.float64)

    def add(self, counts: Float32[Tensor, "2 b s"]) -> None:
        """Add real images.

        Args:
            counts: see :func:`counted`.
        """
        self._n += counts.shape[1]
        self._reached += (counts > 0).sum(1)

    def ratio(self) -> float:
        """Compute the design effect; 1 if each half reaches all real images, or none; NaN if nothing was added."""
        if not self._n:
            return math.nan
        shares = self._reached / self._n
        independent = float((shares * (1 - shares)).mean()) / self._n
        return float((shares[0] - shares[1]).square().mean()) / 2 / independent if independent else 1.0


def counted(inside: Bool[Tensor, "b m"], halves: Float32[Tensor, "m s"]) -> Float32[Tensor, "2 b s"]:
    """Count the samples of each half that reach each real image.

    Args:
        inside: whether each sample reaches each real image.
        halves: see :func:`first_halves`.

    Returns:
        Counts of the first and of the second half of each split.
    """
    found = inside.float()
    first = found @ halves
    return torch.stack([first, found.sum(1, keepdim=True) - first])
