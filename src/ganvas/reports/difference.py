"""What a comparison comes to, in one of four words and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Literal

from ganvas.reports.statistics.power import CAP, seeds_needed
from ganvas.sweeps.seeds import CONFIDENCE

Word = Literal["better", "worse", "within noise", "too few seeds"]


@dataclass(frozen=True)
class Verdict:
    """Of one configuration against another.

    Args:
        word: ``better`` and ``worse`` are said of the first; ``too few seeds`` below 2 common ones.
        more_seeds: further seeds of each that would settle a difference within noise; None where nothing is to be
            settled, or more than :data:`~ganvas.reports.statistics.power.CAP` would be needed.
    """

    word: Word
    more_seeds: int | None

    @property
    def advice(self) -> str:
        """What would settle it, empty where it is settled."""
        if self.word in ("better", "worse"):
            return ""
        if self.word == "too few seeds":
            return "run both with the same 2 or more seeds"
        if self.more_seeds is None:
            return f"more than {CAP} seeds would be needed"
        plural = "" if self.more_seeds == 1 else "s"
        return f"about {self.more_seeds} more seed{plural} each would settle it"


def verdict(mean: float, sd: float, n: int, adjusted_p: float, comparisons: int, lower_is_better: bool) -> Verdict:
    """Judge a paired difference at the 5% level of the whole family.

    Args:
        mean: difference, first minus second.
        sd: of the differences.
        n: common seeds.
        adjusted_p: corrected for all comparisons made; NaN where there was no test.
        comparisons: how many were made: further seeds are planned for the level that the most doubtful one needs.
        lower_is_better: direction of the score.

    Returns:
        The verdict on the first.
    """
    if isnan(adjusted_p):
        return Verdict("too few seeds", None)
    if adjusted_p <= 1 - CONFIDENCE:
        return Verdict("better" if (mean < 0) == lower_is_better else "worse", None)
    needed = seeds_needed(mean, sd, (1 - CONFIDENCE) / comparisons)
    return Verdict("within noise", None if needed is None else max(1, needed - n))
