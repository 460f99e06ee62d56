r"""Power of the paired t test, and the number of seeds that would settle a difference.

With mean difference :math:`\delta` and standard deviation :math:`\sigma` of the differences, n seeds find the
difference with probability

.. math:: 1 - \beta(n) = P\big(|T_{n-1}(\sqrt n\, \delta / \sigma)| > t_{n-1,\,1-\alpha/2}\big),

where :math:`T_\nu(\mu)` is the noncentral t distribution. The observed effect and deviation are used for the true ones:
the result is a plan for the next sweep, not a promise.

Reference: Cohen, "Statistical power analysis for the behavioral sciences" (1988), chapter 2.
"""

from __future__ import annotations

from math import isfinite, sqrt

from scipy.special import nctdtr, stdtrit

POWER = 0.8
"""Probability that the planned seeds find the difference, if it is as large as observed."""
CAP = 1000
"""Largest number of seeds that is planned; a difference that needs more has no practical size."""


def power(n: int, effect: float, sd: float, alpha: float) -> float:
    """Probability that ``n`` paired seeds find a difference.

    Args:
        n: number of seeds, at least 2.
        effect: mean difference, not 0.
        sd: standard deviation of the differences over seeds, above 0.
        alpha: level of the two-sided test, in (0, 1).
    """
    shift, critical = sqrt(n) * abs(effect) / sd, stdtrit(n - 1, 1 - alpha / 2)
    return float(nctdtr(n - 1, shift, -critical) + 1 - nctdtr(n - 1, shift, critical))


def seeds_needed(effect: float, sd: float, alpha: float) -> int | None:
    """Smallest number of paired seeds that find a difference with probability 0.8.

    Args:
        effect: mean difference; NaN if unknown.
        sd: standard deviation of the differences over seeds; NaN if unknown.
        alpha: level of the two-sided test, in (0, 1); for several comparisons divide it by their number.

    Returns:
        At least 2; None if more than :data:`CAP` would be needed, or the effect or the deviation is unknown.
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
