r"""Modified Bessel functions of the first kind in float64, for any order that a sphere needs, with gradients.

For a large order :math:`N` the uniform expansion

.. math::
    I_N(x) \sim \frac{e^{N \eta}}{\sqrt{2 \pi N}} \, p^{1/2} \sum_{k=0}^{K} \frac{U_k(p)}{N^k}, \qquad
    p = \frac{N}{\sqrt{N^2 + x^2}}, \quad N \eta = \sqrt{N^2 + x^2} + N \log \frac{x}{N + \sqrt{N^2 + x^2}}

holds for all :math:`x > 0`. The ratios :math:`r_j = I_{j+1} / I_j` lead down to the order that is asked for, by the
recurrence that is stable in this direction, :math:`r_{j-1} = 1 / (2 j / x + r_j)`. From order 20 on, ten terms have an
error below 1e-14.

Reference: NIST Digital Library of Mathematical Functions, 10.41.3, 10.41.9 and 10.29.1, https://dlmf.nist.gov/10.41.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import log, pi
from typing import Final

import torch
from jaxtyping import Float64
from torch import Tensor

LARGE: Final = 20
"""Smallest order at which the expansion is used."""
TERMS: Final = 10


def log_bessel_and_ratio(order: float, x: Float64[Tensor, " n"]) -> tuple[Float64[Tensor, " n"], Float64[Tensor, " n"]]:
    r"""Compute :math:`\log (e^{-x} I_v(x))` and :math:`I_{v+1}(x) / I_v(x)`.

    Args:
        order: :math:`v`, at least 0.
        x: arguments, positive.
    """
    steps = max(0, int(LARGE - order) + 1)
    top = _log_large(order + steps, x)
    ratio = (_log_large(order + steps + 1, x) - top).exp()
    total = top
    for step in range(steps, 0, -1):
        ratio = 1 / (2 * (order + step) / x + ratio)
        total = total - ratio.log()
    return total, ratio


def _log_large(order: float, x: Tensor) -> Tensor:
    """Compute the logarithm of the scaled function by its expansion for a large order."""
    root = (order**2 + x.square()).sqrt()
    p = order / root
    powers = p.square()[..., None] ** torch.arange(TERMS + 1, dtype=x.dtype, device=x.device)
    polynomials = powers @ torch.tensor(_debye(), dtype=x.dtype, device=x.device).T
    series = (polynomials * (p / order)[..., None] ** torch.arange(TERMS + 1, device=x.device)).sum(-1)
    exponent = order**2 / (root + x) + order * (x / (order + root)).log()  # sqrt(N^2 + x^2) - x without cancellation
    return exponent - 0.5 * log(2 * pi * order) + 0.5 * p.log() + series.log()


@cache
def _debye() -> tuple[tuple[float, ...], ...]:
    r"""Compute the polynomials, :math:`U_k(p) / p^k` by powers of :math:`p^2`.

    .. math:: U_{k+1}(p) = \tfrac12 p^2 (1 - p^2) U_k'(p) + \tfrac18 \int_0^p (1 - 5 t^2) U_k(t) dt, \qquad U_0 = 1
    """
    rows = [{0: Fraction(1)}]
    for _ in range(TERMS):
        after: dict[int, Fraction] = {}
        for power, c in rows[-1].items():
            after[power + 1] = after.get(power + 1, Fraction()) + c * power / 2 + c / (8 * (power + 1))
            after[power + 3] = after.get(power + 3, Fraction()) - c * power / 2 - 5 * c / (8 * (power + 3))
        rows.append(after)
    degrees = range(TERMS + 1)
    return tuple(tuple(float(row.get(k + 2 * i, 0)) for i in degrees) for k, row in enumerate(rows))
