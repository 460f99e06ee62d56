r"""What the seeds of one configuration come to: mean, standard deviation and Student's interval of the mean.

.. math:: \bar x \pm t_{n-1,\,0.975}\; s / \sqrt n

Reference: Student, "The probable error of a mean" (1908). Exact for normal scores at any n >= 2; with the three to ten
seeds that sweeps have, bootstrap intervals are too short (see :mod:`ganvas.reports.statistics.interval`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95
"""Of every interval; tests are at one minus this."""


@dataclass(frozen=True)
class Summary:
    """Scores of the seeds of one configuration.

    Args:
        n: how many there are.
        mean: NaN where there is none.
        sd: with n - 1 in the denominator; NaN below 2.
        low: lower end of the mean's 95% interval; NaN below 2.
        high: its upper end.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


def seed_summary(values: Sequence[float]) -> Summary:
    """Mean, standard deviation and 95% t interval.

    Args:
        values: a score of each seed, finite; failed seeds are left out and counted elsewhere.

    Returns:
        The summary.

    Raises:
        ValueError: a value that is not finite.
    """
    scores = np.asarray(values, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f"values: expected finite scores, got {list(values)}; leave failed seeds out and count them")
    n = len(scores)
    if n < 2:
        return Summary(n, float(scores[0]) if n else nan, nan, nan, nan)
    mean, sd = float(scores.mean()), float(scores.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * sd / sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half)
