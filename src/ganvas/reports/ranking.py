"""Configurations of one protocol in order of their mean score, and every comparison of two of them, corrected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ganvas.reports.collect import StudyError
from ganvas.reports.configuration import Configuration, Failure
from ganvas.reports.difference import Verdict, verdict
from ganvas.reports.statistics.paired import all_pairs, holm, paired_differences, pairs_with


@dataclass(frozen=True)
class Comparison:
    """Two configurations, paired by seed.

    Args:
        first: the one the verdict is on.
        second: what it is held against.
        n: common seeds.
        mean: of first minus second.
        low: lower end of the 95% interval of this difference alone.
        high: its upper end.
        p: corrected for all comparisons made.
        verdict: in words.
    """

    first: Configuration
    second: Configuration
    n: int
    mean: float
    low: float
    high: float
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class Ranking:
    """Of runs whose scores have one protocol.

    Args:
        score: key of the score.
        lower_is_better: its direction.
        fingerprint: of the protocol; empty where the scores carry none.
        configurations: the best mean first, those without a score last.
        baseline: what all others are compared with; None compares every pair.
    """

    score: str
    lower_is_better: bool
    fingerprint: str
    configurations: list[Configuration]
    baseline: Configuration | None

    @cached_property
    def ranked(self) -> list[Configuration]:
        """Configurations with at least one score."""
        return [c for c in self.configurations if c.values]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """All that the correction is for: every pair, the better mean first, or every other against the baseline."""
        n = len(self.ranked)
        if n < 2:
            return []
        pairs = all_pairs(n) if self.baseline is None else pairs_with(self.ranked.index(self.baseline), n)
        d = paired_differences(self._matrix(), pairs)
        adjusted, made = holm(d.p), int((~np.isnan(d.p)).sum())
        return [
            Comparison(
                self.ranked[d.first[i]],
                self.ranked[d.second[i]],
                int(d.n[i]),
                float(d.mean[i]),
                float(d.low[i]),
                float(d.high[i]),
                float(adjusted[i]),
                verdict(d.mean[i], d.sd[i], int(d.n[i]), adjusted[i], made, self.lower_is_better),
            )
            for i in range(len(pairs))
        ]

    def _matrix(self) -> np.ndarray:
        """``(configurations, seeds)`` of scores, NaN where there is none."""
        rows = [pd.Series(c.values, dtype=float) for c in self.ranked]
        return pd.concat(rows, axis=1).to_numpy().T

    @cached_property
    def failures(self) -> list[Failure]:
        """Of all configurations."""
        return [failure for c in self.configurations for failure in c.failures]

    @property
    def runs(self) -> int:
        """Seed runs, whatever came of them."""
        return sum(len(c.rows) for c in self.configurations)


def rank(table: pd.DataFrame, score: str, lower_is_better: bool, fingerprint: str, baseline: str | None) -> Ranking:
    """Order the configurations of one protocol.

    Args:
        table: tidy, of runs with one protocol.
        score: key of the score.
        lower_is_better: its direction.
        fingerprint: of the protocol.
        baseline: label of a configuration; None compares every pair.

    Raises:
        StudyError: no configuration of that label has a score.
    """
    groups = table.groupby(["study", "configuration"], sort=False)
    found = [Configuration(str(rows["label"].iloc[0]), rows, score) for _, rows in groups]
    sign = 1 if lower_is_better else -1
    found.sort(key=lambda c: (not c.values, sign * c.summary.mean if c.values else 0.0))
    known = {c.label: c for c in found if c.values}
    if baseline is not None and baseline not in known:
        raise StudyError(f"baseline: no configuration {baseline!r} has a {score}; there are {', '.join(known)}")
    return Ranking(score, lower_is_better, fingerprint, found, known[baseline] if baseline is not None else None)


def rankings(
    table: pd.DataFrame, fingerprints: pd.Series, score: str, lower: bool, baseline: str | None
) -> list[Ranking]:
    """One ranking for each protocol, that of most runs first: scores of different protocols are never ranked together.

    Runs without a score stand with the other seeds of their configuration, else in the first ranking.

    Args:
        table: tidy.
        fingerprints: of each row's score, None where it has none.
        score: key of the score.
        lower: whether less is better.
        baseline: label of a configuration, in whichever protocol it has scores; None compares every pair.
    """
    scored = (table["outcome"] == "finished") & table[score].notna()
    digits = fingerprints.where(scored).where(fingerprints.notna() | ~scored, "")
    home = digits.groupby([table["study"], table["configuration"]]).transform("first")
    digits = digits.fillna(home).fillna(digits.dropna().mode().iloc[0])
    if baseline is not None and baseline not in set(table["label"]):
        known = "; ".join(dict.fromkeys(table["label"]))
        raise StudyError(f"baseline: no configuration is called {baseline!r}; there are {known}")
    order = digits.value_counts().index
    return [rank(table[digits == d], score, lower, d, _baseline(table[digits == d], score, baseline)) for d in order]


def configuration_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a configuration, in the ranking's order."""
    return [_configuration(ranking, c) for c in ranking.configurations]


def comparison_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a comparison, every one that the correction is for."""
    return [_comparison(ranking, c) for c in ranking.comparisons]


def _baseline(table: pd.DataFrame, score: str, label: str | None) -> str | None:
    """The baseline where this protocol has it; elsewhere every pair is compared."""
    return label if label in set(table["label"][table[score].notna()]) else None


def _configuration(ranking: Ranking, c: Configuration) -> dict[str, Any]:
    others = {key: summary.mean for key, summary in c.other_scores().items()}
    return {
        "configuration": c.label,
        "protocol": ranking.fingerprint,
        "score": ranking.score,
        "seeds": c.summary.n,
        "mean": c.summary.mean,
        "sd": c.summary.sd,
        "low": c.interval.low,
        "high": c.interval.high,
        "interval": c.interval.method,
        "failures": len(c.failures),
        "running": c.unfinished,
        "images": c.mean("images"),
        "wall_seconds": c.mean("wall_seconds"),
        **others,
    }


def _comparison(ranking: Ranking, c: Comparison) -> dict[str, Any]:
    return {
        "first": c.first.label,
        "second": c.second.label,
        "protocol": ranking.fingerprint,
        "score": ranking.score,
        "seeds": c.n,
        "difference": c.mean,
        "low": c.low,
        "high": c.high,
        "p_holm": c.p,
        "verdict": c.verdict.word,
        "more_seeds": c.verdict.more_seeds,
    }
