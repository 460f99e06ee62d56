r"""How many seeds would settle a difference: the power of the paired t test.

With mean difference :math:`\delta` and standard deviation :math:`\sigma` of the differences, n seeds find it with
probability

.. math:: 1 - \beta(n) = P\big(|T_{n-1}(\sqrt n\, \delta / \sigma)| > t_{n-1,\,1-\alpha/2}\big),

:math:`T_\nu(\mu)` noncentral t. The observed effect and deviation stand in for the true ones: a plan for the next
sweep, not a promise.

Reference: Cohen, "Statistical power analysis for the behavioral sciences" (1988), chapter 2.
"""

from __future__ import annotations

from math import isfinite, sqrt

from scipy.special import nctdtr, stdtrit

POWER = 0.8
"""Probability that the seeds suffice, if the difference is as large as it looks."""
CAP = 1000
"""Beyond so many seeds the answer is 'no practical difference'."""


def power(n: int, effect: float, sd: float, alpha: float) -> float:
    """Probability that ``n`` paired seeds find a difference.

    Args:
        n: seeds, at least 2.
        effect: mean difference, not 0.
        sd: of the differences, above 0.
        alpha: level of the two-sided test, in (0, 1).
    """
    shift, critical = sqrt(n) * abs(effect) / sd, stdtrit(n - 1, 1 - alpha / 2)
    return float(nctdtr(n - 1, shift, -critical) + 1 - nctdtr(n - 1, shift, critical))


def seeds_needed(effect: float, sd: float, alpha: float) -> int | None:
    """Fewest paired seeds that find a difference with probability 0.8.

    Args:
        effect: mean difference.
        sd: of the differences.
        alpha: level of the two-sided test, in (0, 1); divide it by the number of comparisons.

    Returns:
        At least 2; None where more than :data:`CAP` would be needed, or effect or deviation is not known.
    """
    if not (isfinite(effect) and isfinite(sd)) or effect == 0:
        return None
    if sd == 0:
        return 2
    low, high = 1, 2
    while power(high, effect, sd, alpha) < POWER:
        low, high = high, high * 2
        if low >= CAP:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, sd, alpha) >= POWER else (middle, high)
    return high if high <= CAP else None
