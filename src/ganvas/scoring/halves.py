r"""Balanced half samples: the error of a score, and of a difference of scores, from halves of the images.

Two halves of the images are two independent experiments, each with half as many images. Their scores differ by twice
the variance at n / 2, so that for a score whose variance falls as 1 / n

.. math:: \operatorname{Var} T_n \approx \frac{1}{4 M} \sum_{s=1}^{M} \big( T(X_s) - T(X_s^c) \big)^2

for any statistic, over M divisions of the images X into a half and the other half. The images form G groups of equal
size at random, and a row of a Hadamard matrix of order G says which groups are in which half. Its G - 1 rows other than
the constant one are orthogonal: for a mean the contrasts are independent, and the sum is the variance of the mean of G
group means, with M = G - 1 degrees of freedom.

A score :math:`T(X, Y)` of a reference X and samples Y is measured on all four pairs of halves. With
:math:`T_{11}, T_{12}, T_{21}, T_{22}` of the halves of X (first index) and of Y, the contrasts

.. math:: c_X = \tfrac12 (T_{11} + T_{12} - T_{21} - T_{22}), \qquad c_Y = \tfrac12 (T_{11} - T_{12} + T_{21} - T_{22})

give the variance from each set, and their sum counts what depends on both sets once. In a difference A - B the
reference is one set for both, so its contrasts are subtracted before they are squared, and what it does to both scores
cancels:

.. math:: v = v(c_X^A - c_X^B) + v(c_Y^A) + v(c_Y^B), \qquad v(c) = \frac{1}{4 M} \sum_s c_s^2

If the i-th samples of A and B come from one latent, they are pairs, which may be dependent: two checkpoints of one
training make similar images of one latent. Then the second term is :math:`v(c_Y^A - c_Y^B)`. A mean over images that
both share, such as a likelihood, has the exact contrasts :math:`x_i - \bar x`, with
:math:`v = \sum_i (x_i - \bar x)^2 / n (n - 1)`. Degrees of freedom of a sum of variances follow from Satterthwaite's
approximation

.. math:: \nu = \Big( \sum_k v_k \Big)^2 \Big/ \sum_k \frac{v_k^2}{\nu_k}.

Why not the bootstrap: it repeats images. A repeated image has a neighbour at distance 0, which empties the balls of
precision and recall, and n drawn images span fewer directions than n others, which moves a Fréchet distance. Why not
the jackknife: it is right for scores that are nearly linear in the images, and overstated the error of precision and
recall by 1.7, because each image left out changes the balls of its neighbours. Where the term of first order of a score
does not dominate (a kernel distance of equal distributions, a Fréchet distance of few images a feature), both overstate
the error. docs/how-to/a_against_b.md has the measured coverage.

Reference: McCarthy 1969, "Pseudo-replication: half samples", https://doi.org/10.2307/1402116; Wolter 2007,
"Introduction to variance estimation", chapter 3; Satterthwaite 1946, https://doi.org/10.2307/3002019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float64, Int64
from scipy.linalg import hadamard
from torch import Tensor

LEAST: Final = 4
"""Smallest number of groups; two groups give one contrast, and nothing is known of its size."""
Half = Int64[Tensor, " half"]


@final
@dataclass(frozen=True, eq=False)
class Contrasts:
    """Contrasts of a score, from one set of images.

    Args:
        values: the contrasts, in units of the score.
        scale: factor of their sum of squares in the variance.
        freedom: degrees of freedom of the variance, at least 1.
        n: number of images in the set.
    """

    values: Float64[Tensor, " m"]
    scale: float
    freedom: int
    n: int

    @property
    def variance(self) -> float:
        """Variance of the score from this set, v above."""
        return self.scale * float(self.values.square().sum())

    def minus(self, other: Contrasts) -> Contrasts:
        """Subtract the contrasts of another score from the same halves of the same set.

        Args:
            other: contrasts of as many values, from as many images.
        """
        assert (self.n, self.scale, self.freedom) == (other.n, other.scale, other.freedom)
        return Contrasts(self.values - other.values, self.scale, self.freedom, self.n)


def of_terms(terms: Float64[Tensor, " n"]) -> Contrasts:
    """Make the contrasts of a mean from its terms.

    Args:
        terms: values of at least 2 images.
    """
    n = len(terms)
    return Contrasts(terms - terms.mean(), 1 / (n * (n - 1)), n - 1, n)


@final
class Halves:
    """Divisions of a set of images into two halves.

    Args:
        n: number of images.
        groups: number of groups, a power of two, at most n.
        seed: seed of the groups; the same n, groups and seed give the same halves. Up to ``groups - 1`` images are in
            no half if n is no multiple.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, n: int, groups: int, seed: int) -> None:
        require_groups(groups)
        if n < groups:
            raise ValueError(f"n: expected at least {groups} images, one a group, got {n}; write groups={LEAST}")
        self.n, self._groups, self._size = n, groups, n // groups
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        self._order = order[: self._groups * self._size].view(self._groups, self._size)

    def pairs(self) -> list[tuple[Half, Half]]:
        """Return the positions of the images in both halves, for each division."""
        rows = torch.from_numpy(hadamard(self._groups)[1:]) > 0
        return [(self._order[row].flatten(), self._order[~row].flatten()) for row in rows]

    def contrasts(self, values: Float64[Tensor, " m"]) -> Contrasts:
        """Give contrasts, one for each division, their scale.

        Args:
            values: the contrasts, of halves that hold nearly all of the n images.
        """
        used = self._groups * self._size
        return Contrasts(values, used / (4 * len(values) * self.n), len(values), self.n)


def require_groups(groups: int) -> None:
    """Raise ValueError unless there are Hadamard matrices with as many rows that ganvas makes."""
    if groups < LEAST or groups & (groups - 1):
        raise ValueError(f"groups={groups}: expected a power of two from {LEAST} on; write groups=16")


def freedom_of(parts: list[Contrasts]) -> float:
    """Degrees of freedom of a sum of variances; infinite if all are 0.

    Args:
        parts: the summands.
    """
    variances = [part.variance for part in parts]
    share = sum(v**2 / part.freedom for v, part in zip(variances, parts, strict=True))
    return sum(variances) ** 2 / share if share > 0 else math.inf
