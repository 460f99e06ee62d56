"""What a configuration is worth: its objective over the seeds that finished."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

Aggregate = Callable[[Sequence[float], str], float]


def _worst(values: Sequence[float], direction: str) -> float:
    return max(values) if direction == "minimize" else min(values)


AGGREGATES: Mapping[str, Aggregate] = {
    "mean": lambda values, direction: statistics.fmean(values),
    "median": lambda values, direction: statistics.median(values),
    "worst": _worst,
}


def objective_of(scores: Sequence[Mapping[str, float]], key: str, direction: str, aggregate: str) -> float | None:
    """One objective of a configuration; None where no seed has it.

    Args:
        scores: by key, of each seed that finished.
        key: of the objective.
        direction: ``minimize`` or ``maximize``.
        aggregate: key of :data:`AGGREGATES`.
    """
    values = [s[key] for s in scores if key in s and s[key] == s[key]]
    return AGGREGATES[aggregate](values, direction) if values else None
