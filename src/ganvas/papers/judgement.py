r"""From a claim and what was measured to PASS, FAIL or INCONCLUSIVE: a pure function.

The estimate is the mean of what was measured, with a 95% interval of the same kind as the paper's ±:

.. math:: \bar x \pm 1.96\, \mathrm{SE}_\text{test} \quad\text{(se\_test: one model, many test examples)}, \qquad
    \bar x \pm t_{0.975, n-1}\, s / \sqrt n \quad\text{(otherwise: n seeds)}.

PASS: the estimate is inside the band. FAIL: the whole interval is outside it. INCONCLUSIVE: the estimate is outside but
the interval is not, it is in the band that says neither, there are fewer seeds than the claim needs, or something else
stood in the way (a budget below the paper's, an extractor that is missing). What is recalled from memory decides
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from ganvas.papers.claims import Claim
from ganvas.sweeps.seeds import seed_summary

_NORMAL: Final = 1.959963984540054
"""Quantile .975 of the normal distribution."""


class Verdict(str, Enum):
    """What follows for a claim."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@final
@dataclass(frozen=True)
class Measured:
    """What we measured for one claim.

    Args:
        values: one a seed.
        standard_error: over test examples, of a single value; None where it is not of that kind.
        hindrance: why the conditions are not the paper's; empty where they are.
    """

    values: Sequence[float]
    standard_error: float | None = None
    hindrance: str = ""

    def __post_init__(self) -> None:
        if not len(self.values) and not self.hindrance:
            raise ValueError("values: expected at least one, or a hindrance that says why there is none")


@final
@dataclass(frozen=True)
class Judgement:
    """A verdict with its grounds.

    Args:
        verdict: PASS, FAIL or INCONCLUSIVE.
        estimate: mean over seeds; NaN where nothing was measured.
        low: of the 95% interval; NaN where there is none.
        high: of the 95% interval.
        reason: in a sentence.
    """

    verdict: Verdict
    estimate: float
    low: float
    high: float
    reason: str


def judge(claim: Claim, measured: Measured) -> Judgement:
    """Compare a measurement with a claim.

    Args:
        claim: of the paper.
        measured: by us.

    Returns:
        The verdict, the interval and the reason.
    """
    n = len(measured.values)
    estimate = math.fsum(measured.values) / n if n else math.nan
    low, high = interval(claim.kind, measured)
    verdict, reason = _decide(claim, measured, estimate, low, high)
    return Judgement(verdict, estimate, low, high, reason)


def interval(kind: str, measured: Measured) -> tuple[float, float]:
    """The 95% interval of a measurement, NaN where nothing supports one.

    Args:
        kind: of the claim's ±.
        measured: by us.
    """
    values = list(measured.values)
    if kind == "se_test" and measured.standard_error is not None and len(values) == 1:
        half = _NORMAL * measured.standard_error
        return values[0] - half, values[0] + half
    if not all(map(math.isfinite, values)):
        return math.nan, math.nan
    summary = seed_summary(values)
    return summary.low, summary.high


def _decide(claim: Claim, measured: Measured, estimate: float, low: float, high: float) -> tuple[Verdict, str]:
    n, neither = len(measured.values), Verdict.INCONCLUSIVE
    if claim.source == "memory":
        return neither, "the paper's number is recalled from memory and decides nothing"
    if measured.hindrance:
        return neither, measured.hindrance
    if n < claim.seeds:
        return neither, f"{n} of the {claim.seeds} seeds that the claim needs"
    if not math.isfinite(estimate):
        return Verdict.FAIL, "the measurement is not a finite number"
    if estimate in claim.band:
        return Verdict.PASS, f"inside {claim.band}"
    if claim.unclear is not None and estimate in claim.unclear:
        return neither, f"outside {claim.band}, but inside {claim.unclear}, where neither is said"
    if claim.band.meets(low, high):
        return neither, f"outside {claim.band}, but its 95% interval is not: more seeds or test examples would tell"
    return Verdict.FAIL, f"outside {claim.band}"
