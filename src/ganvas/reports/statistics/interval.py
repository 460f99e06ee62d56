r"""A 95% interval of the mean for any number of seeds: Student's t for few, the bootstrap for many.

Below :data:`ENOUGH` scores we use Student's t, because the bootstrap sees no more of the tails than the few scores
show: its intervals are too short by a factor of about :math:`\sqrt{(n-1)/n}\, z/t` and cover 83% instead of 95% at
n = 5. From there on we use the bias-corrected and accelerated bootstrap, which adapts to skewed scores, such as those
of runs that sometimes collapse.

Reference: Efron, "Better bootstrap confidence intervals" (JASA 1987), equation 3.8; the computation is scipy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import bootstrap

from ganvas.sweeps.seeds import CONFIDENCE, seed_summary

ENOUGH = 40
"""Number of scores from which the bootstrap covers well enough to profit from its adaptation to skew."""
RESAMPLES = 2000
SEED = 0


@dataclass(frozen=True)
class Interval:
    """A 95% interval of a mean.

    Args:
        low: lower end; NaN below 2 scores.
        high: upper end; NaN below 2 scores.
        method: ``t`` or ``bootstrap``.
    """

    low: float
    high: float
    method: Literal["t", "bootstrap"]


def mean_interval(values: Sequence[float]) -> Interval:
    """Compute a 95% interval of the mean.

    Args:
        values: finite scores of independent runs.

    Returns:
        The interval and its method; the same values give the same interval.
    """
    summary = seed_summary(values)
    if summary.n < ENOUGH or summary.sd == 0:
        return Interval(summary.low, summary.high, "t")
    found = bootstrap(
        (np.asarray(values, dtype=np.float64),),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Interval(float(found.low), float(found.high), "bootstrap")
