"""What a health check says: a number, whether it is fine, and why, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True)
class Verdict:
    """One finding about a run or a set of samples.

    Args:
        name: what was checked, a tag's name, as ``critic_gap``.
        value: the number that was judged, for filters; may be NaN or infinite, and then the verdict is a warning.
        verdict: ``ok`` or ``warn``.
        reason: a sentence with the numbers, the threshold and, in a warning, what to look at.
    """

    name: str
    value: float
    verdict: Literal["ok", "warn"]
    reason: str


def judge(name: str, value: float, healthy: bool, reason: str, advice: str) -> Verdict:
    """Verdict from a condition; write the condition so that NaN fails it.

    Args:
        name: what was checked.
        value: the number that was judged.
        healthy: the condition, such as ``value <= threshold``, false for NaN.
        reason: what was found, a sentence.
        advice: what it means and what to do, a sentence, added in a warning only.

    Returns:
        The verdict.
    """
    return Verdict(name, value, "ok" if healthy else "warn", reason if healthy else f"{reason} {advice}")
