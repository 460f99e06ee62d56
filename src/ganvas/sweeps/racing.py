r"""Racing: further seeds only for trials that may still win.

After each seed from the second on, a trial is dropped if Welch's one-sided test says that its mean is worse than that
of the best trial so far, at level

.. math:: \alpha / (L \, (K - 1)),

with L looks at a trial (its seeds minus two) and K trials. By the union bound over looks and rivals, the truly best
trial is dropped with probability at most alpha if scores over seeds are normal and Welch's approximation holds. With
two or three seeds the test is weak: racing saves seeds on clear losers only.

Reference: Maron and Moore 1994, Hoeffding Races; Birattari et al. 2002 (F-Race).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from scipy import stats

FIRST = 2
"""Seeds that every trial gets."""


@final
@dataclass(frozen=True)
class Race:
    """The rule by which one study drops trials.

    Args:
        alpha: largest probability of dropping the best trial, in (0, 1).
        seeds: seeds of a trial that is not dropped.
        trials: number of trials that race.
        direction: ``minimize`` or ``maximize``.
    """

    alpha: float
    seeds: int
    trials: int
    direction: str

    @property
    def level(self) -> float:
        """Significance level of one test."""
        return self.alpha / max((self.seeds - FIRST) * (self.trials - 1), 1)

    def lost(self, own: Sequence[float], rivals: Sequence[Sequence[float]]) -> bool:
        """Whether a trial is dropped.

        Args:
            own: the trial's objective, one value for each seed.
            rivals: the objectives of the other trials.
        """
        ready = [list(rival) for rival in rivals if len(rival) >= FIRST]
        if len(own) < FIRST or not ready:
            return False
        sign = 1.0 if self.direction == "minimize" else -1.0
        best = min(ready, key=lambda values: sign * math.fsum(values) / len(values))
        alternative = "greater" if self.direction == "minimize" else "less"
        p = stats.ttest_ind(list(own), best, equal_var=False, alternative=alternative).pvalue
        return bool(p < self.level)
