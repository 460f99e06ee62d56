r"""The jackknife by groups: the error of a score, and of a difference of scores, from images that are left out.

A score :math:`T` is a function of independent sets of images: the reference and the samples. The n images of a set are
divided at random into G groups of d, and the score is computed G times, each time without one group:

.. math:: v = \frac{(n - d)^2}{n \, d \, (G - 1)} \sum_g \big( T_{(-g)} - \bar T \big)^2, \qquad
    \bar T = \frac1G \sum_g T_{(-g)}

which for n = G d has the familiar factor (G - 1) / G. For a mean and groups of one image it is exactly
:math:`s^2 / n`. The sets are independent, so the variances of reference and samples are added.

The difference of A and B has one set in common, the reference. Its groups are the same for both, so that what the
reference does to both scores cancels:

.. math:: \operatorname{Var}(T_A - T_B) = v_{\mathrm{reference}}(T_A - T_B) + v(T_A) + v(T_B)

If the i-th samples of A and B come from one latent, they are one set of pairs, which may be dependent: two checkpoints
of one training make similar images of one latent. Then the groups are the same on this set too, and its term is
:math:`v_{\mathrm{samples}}(T_A - T_B)`; it is right for independent samples as well, with fewer degrees of freedom. A
mean over held-out images, such as a likelihood, has the one common set of these images.

Each variance has G - 1 degrees of freedom; those of a sum follow from Satterthwaite's approximation

.. math:: \nu = \Big( \sum_k v_k \Big)^2 \Big/ \sum_k \frac{v_k^2}{G_k - 1}.

Why not the bootstrap: it repeats images. A repeated image has a neighbour at distance 0, which empties the balls of
precision and recall, and n drawn images span fewer directions than n others, which moves a Fréchet distance more than
the error that is sought. Where the first-order term of a score vanishes (a kernel distance of equal distributions) the
jackknife overstates the error.

Reference: Shao and Wu 1989, https://doi.org/10.1214/aos/1176347263; Efron and Stein 1981; Satterthwaite 1946.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class LeftOut:
    """Values of a score, each computed without one group of one set of images.

    Args:
        values: one finite value for each group, at least 2.
        size: number of images in a group, d.
        n: number of images in the set.
    """

    values: Float64[Tensor, " g"]
    size: int
    n: int

    @property
    def variance(self) -> float:
        """Variance of the score from this set, v above."""
        g, d, n = len(self.values), self.size, self.n
        spread = (self.values - self.values.mean()).square().sum()
        return float(spread) * (n - d) ** 2 / (n * d * (g - 1))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the variance."""
        return len(self.values) - 1

    def minus(self, other: LeftOut) -> LeftOut:
        """Subtract the values of another score that was computed without the same groups of the same set.

        Args:
            other: its set and its groups must be equal.
        """
        assert (self.n, self.size, len(self.values)) == (other.n, other.size, len(other.values))
        return LeftOut(self.values - other.values, self.size, self.n)


def without_each(n: int, groups: int, seed: int) -> Iterator[Int64[Tensor, " kept"]]:
    """Yield for each group the positions of all other images.

    The images that stay keep their places, and the last group takes the place of the one that is left out. A score that
    draws subsets by a seed so draws the same places each time, and the values differ by the images and not by the draw.

    Args:
        n: number of images, at least 2.
        groups: number of groups, from 2 to n. If it does not divide n, the last few images are in no group.
        seed: seed of the division into groups; the same n, groups and seed give the same groups.
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    size = n // groups
    for group in range(groups):
        kept = order[: n - size].clone()
        if group < groups - 1:
            kept[group * size : (group + 1) * size] = order[n - size :]
        yield kept


def freedom_of(parts: list[LeftOut]) -> float:
    """Degrees of freedom of a sum of variances; infinite if all are 0.

    Args:
        parts: the summands.
    """
    variances = [part.variance for part in parts]
    share = sum(v**2 / part.freedom for v, part in zip(variances, parts, strict=True))
    return sum(variances) ** 2 / share if share > 0 else float("inf")
