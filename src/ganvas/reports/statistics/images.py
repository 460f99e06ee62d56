r"""The number of images that would settle a difference of two scores, from how its standard error falls with them.

The variance of a difference :math:`\delta` is that of the reference images plus that of the samples, and each falls as
one over its number of images:

.. math:: \operatorname{se}^2(n, m) = v_R \frac{n_0}{n} + v_S \frac{m_0}{m}

with :math:`v_R` measured on :math:`n_0` reference images and :math:`v_S` on :math:`m_0` samples of each source. A test
at level :math:`\alpha` finds :math:`\delta` with probability 0.8 if
:math:`\operatorname{se} \le e = |\delta| / (z_{1 - \alpha / 2} + z_{0.8})`. With the reference as it is, this needs

.. math:: m = m_0 \frac{v_S}{e^2 - v_R}

samples. If :math:`e^2 \le v_R` no number of samples is enough; then both sets have to grow by the factor
:math:`(v_R + v_S) / e^2`. A score that reads no samples needs :math:`n = n_0 v_R / e^2` images of the reference. The
observed difference is used for the true one, and a bias that falls with n is not counted: a plan, not a promise.

Reference: Cohen, "Statistical power analysis for the behavioral sciences" (1988), chapter 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from ganvas.reports.statistics.power import POWER
from ganvas.scoring.replicates import Spread

CAP = 10_000_000
"""Largest number of images that is planned; a difference that needs more has no practical size."""


@dataclass(frozen=True)
class Needed:
    """Numbers of images that would settle a difference.

    Args:
        samples: number of samples of each source; None if their number is not to change.
        reference: number of images of the reference; None if their number is not to change.
    """

    samples: int | None
    reference: int | None

    def __str__(self) -> str:
        if self.samples is None:
            return f"{self.reference or 0:,} images of the reference"
        against = "" if self.reference is None else f" against {self.reference:,} of the reference"
        return f"{self.samples:,} images of each{against}"


def images_needed(spread: Spread, alpha: float) -> Needed | None:
    """Plan the number of images at which a difference like the observed one is found with probability 0.8.

    Args:
        spread: the difference, with its variances.
        alpha: level of the two-sided test, in (0, 1); for several comparisons divide it by their number.

    Returns:
        The numbers; None if more than :data:`CAP` would be needed, or if the difference is 0 or its error unknown.
    """
    if spread.value == 0 or not 0 < spread.error < math.inf:
        return None
    allowed = (spread.value / float(ndtri(1 - alpha / 2) + ndtri(POWER))) ** 2
    if spread.n_samples and allowed > spread.reference:
        found = Needed(_grown(spread.n_samples, spread.samples / (allowed - spread.reference)), None)
    else:
        factor = (spread.reference + spread.samples) / allowed
        found = Needed(*(_grown(n, factor) if n else None for n in (spread.n_samples, spread.n_reference)))
    numbers = [n for n in (found.samples, found.reference) if n is not None]
    return found if numbers and max(numbers) <= CAP else None


def _grown(n: int, factor: float) -> int:
    """Number of images, at least one more than now, rounded up to two digits: a plan is no more exact."""
    wanted = max(n * factor, n + 1)
    step = 10 ** max(0, math.floor(math.log10(wanted)) - 1)
    return math.ceil(wanted / step) * step
