r"""The difference of two sources' scores: its size, its 95% interval, its p-value and a word, as reports have them.

.. math:: A - B \pm t_{\nu, 0.975} \operatorname{se}, \qquad p = 2 \, P(T_\nu > |A - B| / \operatorname{se})

with the standard error and the degrees of freedom of :mod:`ganvas.scoring.halves`. All differences that are judged
together are one family, corrected by Holm's method. The error is over images: it says whether other samples of these
models, and other reference images, would give the same answer. It is not the error over trainings; for that, compare
seeds by ``ganvas report``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from ganvas.reports.difference import Word as WordOfSeeds
from ganvas.reports.difference import word_of
from ganvas.reports.statistics.images import CAP, Needed, images_needed
from ganvas.reports.statistics.paired import holm
from ganvas.scoring.replicates import Spread
from ganvas.sweeps.seeds import CONFIDENCE

Word = WordOfSeeds | Literal["different", "no error known"]


@dataclass(frozen=True)
class Contrast:
    """The score of one source minus that of another.

    Args:
        first: the source that the word is about.
        second: the source that the first is compared with.
        score: key of the score.
        spread: the difference with its variances.
        low: lower end of the 95% interval of this difference alone; NaN without an error.
        high: upper end of the 95% interval of this difference alone; NaN without an error.
        p: p-value, corrected for all comparisons of the family; NaN without an error.
        word: ``better`` and ``worse`` are about the first; ``different`` is about a score without a direction.
        needed: numbers of images that would settle a difference within noise; None for any other word, or if too many
            would be needed.
    """

    first: str
    second: str
    score: str
    spread: Spread
    low: float
    high: float
    p: float
    word: Word
    needed: Needed | None

    @property
    def advice(self) -> str:
        """What would settle the difference, in a phrase; empty if it is settled or has no error."""
        if self.word != "within noise":
            return ""
        if self.needed is None:
            return f"more than {CAP:,} images would be needed"
        return f"about {self.needed} would settle it"

    def as_dict(self) -> dict[str, Any]:
        """Convert to a row of a table and of ``result.json``."""
        needed = self.needed or Needed(None, None)
        return {
            "first": self.first,
            "second": self.second,
            "score": self.score,
            "difference": known(self.spread.value),
            "low": known(self.low),
            "high": known(self.high),
            "standard_error": known(self.spread.error),
            "degrees_of_freedom": known(self.spread.freedom),
            "paired": self.spread.how,
            "p_holm": known(self.p),
            "verdict": self.word,
            "samples_needed": needed.samples,
            "reference_needed": needed.reference,
        }


def interval(spread: Spread) -> tuple[float, float]:
    """Compute the 95% interval of a score or a difference; NaN without an error."""
    half = float(stdtrit(spread.freedom, (1 + CONFIDENCE) / 2)) * spread.error
    return spread.value - half, spread.value + half


def contrasts(
    pairs: Sequence[tuple[str, str, str, Spread]], lower_is_better: Mapping[str, bool | None]
) -> list[Contrast]:
    """Judge differences as one family.

    Args:
        pairs: first source, second source, key of the score, and the difference; each once.
        lower_is_better: direction by key of the score; None for a score that does not measure quality.
    """
    adjusted = holm([_p(spread) for *_, spread in pairs])
    made = int((~np.isnan(adjusted)).sum())
    found = []
    for (first, second, score, spread), p in zip(pairs, map(float, adjusted), strict=True):
        word = _word(spread.value, p, lower_is_better[score])
        needed = images_needed(spread, (1 - CONFIDENCE) / made) if word == "within noise" else None
        found.append(Contrast(first, second, score, spread, *interval(spread), p, word, needed))
    return found


def _word(value: float, p: float, lower_is_better: bool | None) -> Word:
    if isnan(p):
        return "no error known"
    found = word_of(value, p, lower_is_better is not False)
    return "different" if lower_is_better is None and found in ("better", "worse") else found


def _p(spread: Spread) -> float:
    if isnan(spread.error) or isnan(spread.value):
        return nan
    if spread.error == 0:
        return float(spread.value == 0)
    return float(2 * stdtr(spread.freedom, -abs(spread.value) / spread.error))


def known(value: float) -> float | None:
    """Replace NaN and infinity, which JSON does not have, by None."""
    return None if isnan(value) or abs(value) == inf else value
