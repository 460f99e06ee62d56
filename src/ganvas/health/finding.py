"""The result of a health check: a number, ``ok`` or ``warn``, and the reason in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True)
class Finding:
    """One finding about a run or a set of samples.

    Args:
        name: name of the check and of its tag, for example ``critic_gap``.
        value: the checked number; NaN and infinity always give a warning.
        state: ``ok`` or ``warn``.
        reason: a sentence with the numbers, the threshold and, in a warning, advice.
    """

    name: str
    value: float
    state: Literal["ok", "warn"]
    reason: str

    @staticmethod
    def of(name: str, value: float, healthy: bool, reason: str, advice: str) -> Finding:
        """Make a finding from a condition; write the condition so that NaN fails it.

        Args:
            name: name of the check.
            value: the checked number.
            healthy: the condition, such as ``value <= threshold``, false for NaN.
            reason: a sentence with the numbers and the threshold.
            advice: a sentence that says what a warning means and what to do; added to the reason of a warning.
        """
        return Finding(name, value, "ok" if healthy else "warn", reason if healthy else f"{reason} {advice}")
