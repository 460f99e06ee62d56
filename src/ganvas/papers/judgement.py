r"""The judgement of a claim by our measurement: PASS, FAIL or INCONCLUSIVE, as a pure function.

The estimate is the mean of the measured values, with a 95% interval of the same kind as the paper's ±:

.. math:: \bar x \pm 1.96\, \mathrm{SE}_\text{test} \quad\text{(se\_test: one model, many test examples)}, \qquad
    \bar x \pm t_{0.975, n-1}\, s / \sqrt n \quad\text{(otherwise: n seeds)}.

If the paper gives no ±, the interval of one model is that over test examples, where it is known.

PASS: the estimate is inside the claim's band. FAIL: the whole interval is outside the band. INCONCLUSIVE: the estimate
is outside the band but part of the interval is inside, or the estimate is in the band marked ``unclear``, or there are
fewer seeds than the claim needs, or the conditions differ from the paper's (a smaller budget, a missing extractor), or
the paper's number is recalled from memory.
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
    """The three words of a judgement, as results files keep them."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@final
@dataclass(frozen=True)
class Measured:
    """Our measurement for one claim.

    Args:
        values: one value for each seed.
        standard_error: standard error of a single value over test examples; None if it is not known.
        hindrance: how the conditions differ from the paper's; empty if they do not.
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
    """A verdict on a claim with its grounds.

    Args:
        verdict: PASS, FAIL or INCONCLUSIVE.
        estimate: mean over seeds; NaN if nothing was measured.
        low: lower end of the 95% interval; NaN if there is no interval.
        high: upper end of the 95% interval; NaN if there is no interval.
        reason: why this verdict, in one sentence.
    """

    verdict: Verdict
    estimate: float
    low: float
    high: float
    reason: str


def judge(claim: Claim, measured: Measured) -> Judgement:
    """Judge a claim by our measurement."""
    n = len(measured.values)
    estimate = math.fsum(measured.values) / n if n else math.nan
    low, high = interval(claim.kind, measured)
    verdict, reason = _decide(claim, measured, estimate, low, high)
    return Judgement(verdict, estimate, low, high, reason)


def interval(kind: str, measured: Measured) -> tuple[float, float]:
    """Compute the 95% interval of a measurement; NaN if it has neither a standard error nor two finite values.

    Args:
        kind: kind of the claim's ±, a key of :data:`ganvas.papers.claims.KINDS`.
        measured: our measurement.
    """
    values = list(measured.values)
    if kind in ("se_test", "none") and measured.standard_error is not None and len(values) == 1:
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
        return neither, f"outside {claim.band}, but inside {claim.unclear}, which neither passes nor fails"
    if claim.band.meets(low, high):
        return neither, f"outside {claim.band}, but its 95% interval is not: measure with more seeds or test examples"
    return Verdict.FAIL, f"outside {claim.band}"
