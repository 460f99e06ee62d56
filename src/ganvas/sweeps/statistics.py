r"""Statistics of the seeds of one configuration: pure functions, float64.

.. math:: \bar x \pm t_{0.975, n-1} \, s / \sqrt{n}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Summary:
    """Mean, standard deviation (n - 1) and 95% t interval of n values; what n does not allow is NaN."""

    n: int
    mean: float
    sd: float
    low: float
    high: float


def seed_summary(values: Sequence[float]) -> Summary:
    """The seeds of one configuration, summed up.

    Args:
        values: one a seed.
    """
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2:
        return Summary(n, mean, math.nan, math.nan, math.nan)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half)
