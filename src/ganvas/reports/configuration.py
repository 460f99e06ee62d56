"""One configuration of a report: the scores of its seeds, its failures, its cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ganvas.reports.collect import PARAM, SCORE
from ganvas.reports.statistics.interval import Interval, mean_interval
from ganvas.sweeps.seeds import Summary, seed_summary

NOT_YET = ("running",)
"""Outcomes of seeds that have neither finished nor failed."""


@dataclass(frozen=True)
class RankedConfiguration:
    """A configuration that is ranked by one score.

    Args:
        label: its swept values as text; unique in the report.
        rows: its rows of the tidy table, one for each seed.
        score: key of the score that ranks it.
    """

    label: str
    rows: pd.DataFrame
    score: str

    @cached_property
    def scored(self) -> pd.DataFrame:
        """Rows of the seeds that finished with a finite score."""
        if self.score not in self.rows:
            return self.rows.iloc[:0]
        return self.rows[(self.rows["outcome"] == "finished") & np.isfinite(self.rows[self.score].astype(float))]

    @cached_property
    def values(self) -> dict[int, float]:
        """Score by seed."""
        return dict(zip(self.scored["seed"], self.scored[self.score], strict=True)) if len(self.scored) else {}

    @cached_property
    def summary(self) -> Summary:
        """Mean, deviation and t interval of the score."""
        return seed_summary(list(self.values.values()))

    @cached_property
    def interval(self) -> Interval:
        """95% interval of the mean: Student's t, or the bootstrap for many seeds."""
        return mean_interval(list(self.values.values()))

    @cached_property
    def warnings(self) -> dict[str, int]:
        """Number of seeds with a score in which a health check warns, by check, the most frequent first."""
        return dict(Counter(check for checks in self.scored["warnings"] for check in checks).most_common())

    @cached_property
    def unhealthy(self) -> bool:
        """Whether a health check warns in every seed with a score."""
        return len(self.scored) > 0 and all(len(checks) > 0 for checks in self.scored["warnings"])

    @property
    def unfinished(self) -> int:
        """Number of seeds that are still running."""
        return int(self.rows["outcome"].isin(NOT_YET).sum())

    @cached_property
    def failures(self) -> list[Failure]:
        """Seeds without a score, each with its outcome and reason."""
        return list(self._failures())

    def _failures(self) -> Iterator[Failure]:
        for _, row in self.rows.drop(self.scored.index).iterrows():
            if row["outcome"] == "finished":
                reason = f"{self.score} is {row[self.score]}" if self.score in row else f"no {self.score}"
                yield Failure(self.label, row["seed"], "no score", reason, row["run_id"])
            elif row["outcome"] not in NOT_YET:
                yield Failure(self.label, row["seed"], row["outcome"], row["reason"], row["run_id"])

    @cached_property
    def params(self) -> dict[str, str]:
        """Swept values by key, without the keys that this configuration does not have."""
        first = self.rows.iloc[0]
        # A study that does not sweep a key has NaN in its column, where another study has text.
        values = {key.removeprefix(PARAM): first[key] for key in first.index if key.startswith(PARAM)}
        return {key: value for key, value in values.items() if isinstance(value, str) and value}

    def mean(self, column: str) -> float:
        """Mean of a column over the seeds that have a score; NaN if none of them has the column."""
        return float(self.scored[column].mean()) if column in self.scored and len(self.scored) else float("nan")

    def total(self, column: str) -> float:
        """Sum of a column over all seeds, failed ones included, since they cost too; NaN if no seed has the column."""
        return float(self.rows[column].sum(min_count=1)) if column in self.rows else float("nan")

    def other_scores(self) -> dict[str, Summary]:
        """Summary of every other final score, by key."""
        found = {}
        for key in (key for key in self.scored.columns if key.startswith(SCORE) and key != self.score):
            values = self.scored[key].astype(float)
            if np.isfinite(values).any():
                found[key] = seed_summary(list(values[np.isfinite(values)]))
        return found


@dataclass(frozen=True)
class Failure:
    """A seed without a score.

    Args:
        label: label of its configuration.
        seed: seed of the run.
        outcome: ``nan``, ``error``, ``pruned``, ``interrupted`` or ``no score``.
        reason: one line; empty if no reason was recorded.
        run_id: id of the run in MLflow.
    """

    label: str
    seed: int
    outcome: str
    reason: str
    run_id: str
