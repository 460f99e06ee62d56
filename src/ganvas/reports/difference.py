"""The difference of two configurations, paired by seed: its size, its interval, its p-value and one of four words."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Literal

from ganvas.reports.configuration import RankedConfiguration
from ganvas.reports.statistics.power import CAP, seeds_needed
from ganvas.sweeps.seeds import CONFIDENCE

Word = Literal["better", "worse", "within noise", "too few seeds"]


@dataclass(frozen=True)
class Difference:
    """The score of one configuration minus that of another, paired by seed.

    Args:
        first: the configuration that the word is about.
        second: the configuration that the first is compared with.
        n: number of common seeds.
        mean: mean of first minus second.
        low: lower end of the 95% interval of this difference alone.
        high: upper end of the 95% interval of this difference alone.
        p: p-value, corrected for all comparisons; NaN below 2 common seeds.
        word: ``better`` and ``worse`` are about the first; ``too few seeds`` means below 2 common ones.
        more_seeds: further seeds of each that would settle a difference within noise; None for any other word, or if
            more than :data:`~ganvas.reports.statistics.power.CAP` would be needed.
    """

    first: RankedConfiguration
    second: RankedConfiguration
    n: int
    mean: float
    low: float
    high: float
    p: float
    word: Word
    more_seeds: int | None

    @property
    def advice(self) -> str:
        """Seeds that would settle the difference, in a phrase; empty if it is settled."""
        return advice(self.word, self.more_seeds)


def word_of(mean: float, adjusted_p: float, lower_is_better: bool) -> Word:
    """Put a paired difference into a word, at the 5% level of the whole family.

    Args:
        mean: first minus second.
        adjusted_p: p-value, corrected for all comparisons; NaN if there was no test.
        lower_is_better: direction of the score.
    """
    if isnan(adjusted_p):
        return "too few seeds"
    if adjusted_p > 1 - CONFIDENCE:
        return "within noise"
    return "better" if (mean < 0) == lower_is_better else "worse"


def more_seeds(mean: float, sd: float, n: int, comparisons: int) -> int | None:
    """Further seeds of each configuration that would settle a difference within noise.

    Args:
        mean: first minus second.
        sd: standard deviation of the differences over seeds.
        n: number of common seeds.
        comparisons: number of comparisons made; seeds are planned for the strictest level of Holm's correction.

    Returns:
        At least 1; None if more than :data:`~ganvas.reports.statistics.power.CAP` seeds would be needed.
    """
    needed = seeds_needed(mean, sd, (1 - CONFIDENCE) / comparisons)
    return None if needed is None else max(1, needed - n)


def advice(word: Word, further: int | None) -> str:
    """Say what would settle a difference; empty if it is settled.

    Args:
        word: word of the difference.
        further: seeds from :func:`more_seeds`; None if too many would be needed.
    """
    if word in ("better", "worse"):
        return ""
    if word == "too few seeds":
        return "run both with the same 2 or more seeds"
    if further is None:
        return f"more than {CAP} seeds would be needed"
    plural = "" if further == 1 else "s"
    return f"about {further} more seed{plural} each would settle it"
