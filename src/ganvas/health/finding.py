"""The result of a health check: a number, whether it is fine, and why, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True)
class Finding:
    """One finding about a run or a set of samples.

    Args:
        name: of the check and of its tag, as ``critic_gap``.
        value: the number that was checked, for filters; NaN and infinity are always a warning.
        state: ``ok`` or ``warn``.
        reason: a sentence with the numbers, the threshold and, in a warning, advice.
    """

    name: str
    value: float
    state: Literal["ok", "warn"]
    reason: str

    @staticmethod
    def of(name: str, value: float, healthy: bool, reason: str, advice: str) -> Finding:
        """A finding from a condition; write the condition so that NaN fails it.

        Args:
            name: of the check.
            value: the number that was checked.
            healthy: the condition, such as ``value <= threshold``, false for NaN.
            reason: the numbers and the threshold, a sentence.
            advice: what a warning means and what to do, a sentence.
        """
        return Finding(name, value, "ok" if healthy else "warn", reason if healthy else f"{reason} {advice}")
