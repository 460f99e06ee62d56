r"""Statistics over the seeds of one configuration: mean, deviation, Student's interval, and the objective of a sweep.

.. math:: \bar x \pm t_{n-1,\,0.975}\; s / \sqrt n

Reference: Student, "The probable error of a mean" (1908). The interval is exact for normal scores at any n >= 2. With
the three to ten seeds of a sweep, bootstrap intervals are too short (:mod:`ganvas.reports.statistics.interval`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from scipy.special import stdtrit

Aggregate = Callable[[Sequence[float], str], float]
CONFIDENCE = 0.95
"""Coverage of every interval; the level of every test is one minus this."""


@dataclass(frozen=True)
class Summary:
    """Mean, deviation and interval of the scores of several seeds.

    Args:
        n: number of scores.
        mean: NaN if n is 0.
        sd: standard deviation with n - 1 in the denominator; NaN if n < 2.
        low: lower end of the 95% interval of the mean; NaN if n < 2.
        high: upper end of the 95% interval of the mean; NaN if n < 2.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


def seed_summary(values: Sequence[float]) -> Summary:
    """Compute mean, standard deviation and 95% t interval.

    Args:
        values: one finite score for each seed that finished; failed seeds are counted elsewhere.

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


def _worst(values: Sequence[float], direction: str) -> float:
    return max(values) if direction == "minimize" else min(values)


AGGREGATES: Mapping[str, Aggregate] = {
    "mean": lambda values, direction: statistics.fmean(values),
    "median": lambda values, direction: statistics.median(values),
    "worst": _worst,
}


def objective_of(scores: Sequence[Mapping[str, float]], key: str, direction: str, aggregate: str) -> float | None:
    """Aggregate one score over seeds; None if no seed has it.

    Args:
        scores: scores by key, for each seed that finished.
        key: key of the score.
        direction: ``minimize`` or ``maximize``.
        aggregate: key of :data:`AGGREGATES`.
    """
    values = [s[key] for s in scores if key in s and s[key] == s[key]]
    return AGGREGATES[aggregate](values, direction) if values else None
