r"""Racing: further seeds only for configurations that may still win.

After each seed from the second on, a configuration is dropped when Welch's one-sided test says that its mean is worse
than that of the best configuration so far, at level

.. math:: \alpha / (L \, (K - 1)),

with L looks at a configuration (its seeds minus two) and K configurations. By the union bound over looks and rivals the
configuration that is truly best is dropped with probability at most alpha, where its scores over seeds are normal and
Welch's approximation holds; with two or three seeds the test is weak, so that racing saves seeds on clear losers only.

Reference: Maron and Moore 1994, Hoeffding Races; Birattari et al. 2002 (F-Race).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from scipy import stats

FIRST = 2
"""Seeds that every configuration gets."""


@final
@dataclass(frozen=True)
class Race:
    """The rule of one study.

    Args:
        alpha: probability of dropping the best, at most.
        seeds: of a configuration that is never dropped.
        configurations: that race.
        direction: ``minimize`` or ``maximize``.
    """

    alpha: float
    seeds: int
    configurations: int
    direction: str

    @property
    def level(self) -> float:
        """Of one test."""
        return self.alpha / max((self.seeds - FIRST) * (self.configurations - 1), 1)

    def lost(self, own: Sequence[float], rivals: Sequence[Sequence[float]]) -> bool:
        """Whether a configuration is out.

        Args:
            own: its objective, one a seed.
            rivals: those of other configurations.
        """
        ready = [list(rival) for rival in rivals if len(rival) >= FIRST]
        if len(own) < FIRST or not ready:
            return False
        sign = 1.0 if self.direction == "minimize" else -1.0
        best = min(ready, key=lambda values: sign * math.fsum(values) / len(values))
        alternative = "greater" if self.direction == "minimize" else "less"
        p = stats.ttest_ind(list(own), best, equal_var=False, alternative=alternative).pvalue
        return bool(p < self.level)
