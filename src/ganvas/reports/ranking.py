"""Rankings: the configurations of one protocol in order of their mean score, and the differences between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from ganvas.reports.collect import StudyError
from ganvas.reports.configuration import Failure, RankedConfiguration
from ganvas.reports.difference import Difference, more_seeds, word_of
from ganvas.reports.statistics.paired import all_pairs, holm, of_best_among_all, paired_tests, pairs_with

LISTED: Final = 100
"""Largest number of configurations of which all pairs are listed; with more, the pairs would be the whole report."""


@dataclass(frozen=True)
class Ranking:
    """A ranking of configurations whose scores have one protocol.

    Args:
        score: key of the score.
        lower_is_better: direction of the score.
        fingerprint: fingerprint of the protocol; empty if the scores carry none.
        configurations: the best mean first, configurations without a score last.
        baseline: the configuration that all others are compared with; None compares every pair.
        logarithmic: keys of the parameters that were searched on a logarithmic scale.
    """

    score: str
    lower_is_better: bool
    fingerprint: str
    configurations: list[RankedConfiguration]
    baseline: RankedConfiguration | None
    logarithmic: Collection[str] = ()

    @cached_property
    def ranked(self) -> list[RankedConfiguration]:
        """Configurations with at least one score."""
        return [c for c in self.configurations if c.values]

    @cached_property
    def differences(self) -> list[Difference]:
        """The listed differences, corrected for all comparisons.

        Without a baseline these are all pairs, the better mean first, or, of more than :data:`LISTED` configurations,
        those with the best one; with a baseline, every other against it.
        """
        n = len(self.ranked)
        if n < 2:
            return []
        scores, in_part = self._matrix(), self.baseline is None and n > LISTED
        d = paired_tests(scores, self._pairs())
        adjusted, made = of_best_among_all(scores) if in_part else (holm(d.p), int((~np.isnan(d.p)).sum()))
        words = [word_of(mean, p, self.lower_is_better) for mean, p in zip(d.mean, adjusted, strict=True)]
        return [
            Difference(
                self.ranked[d.first[i]],
                self.ranked[d.second[i]],
                int(d.n[i]),
                float(d.mean[i]),
                float(d.low[i]),
                float(d.high[i]),
                float(adjusted[i]),
                word,
                more_seeds(d.mean[i], d.sd[i], int(d.n[i]), made) if word == "within noise" else None,
            )
            for i, word in enumerate(words)
        ]

    @property
    def comparisons(self) -> int:
        """Number of comparisons that Holm's correction covers, listed or not."""
        n = len(self.ranked)
        return n * (n - 1) // 2 if self.baseline is None else n - 1

    def _pairs(self) -> np.ndarray:
        n = len(self.ranked)
        if self.baseline is not None:
            return pairs_with(self.ranked.index(self.baseline), n)
        return all_pairs(n) if n <= LISTED else pairs_with(0, n)[:, ::-1]

    def _matrix(self) -> np.ndarray:
        """Scores as ``(configurations, seeds)``, NaN for a seed without a score."""
        rows = [pd.Series(c.values, dtype=float) for c in self.ranked]
        return pd.concat(rows, axis=1).to_numpy().T

    @cached_property
    def failures(self) -> list[Failure]:
        """Failures of all configurations."""
        return [failure for c in self.configurations for failure in c.failures]

    @property
    def runs(self) -> int:
        """Number of seed runs, failed ones included."""
        return sum(len(c.rows) for c in self.configurations)


def rank(
    table: pd.DataFrame,
    score: str,
    lower_is_better: bool,
    fingerprint: str,
    baseline: str | None,
    logarithmic: Collection[str],
) -> Ranking:
    """Order the configurations of one protocol.

    Args:
        table: tidy table of the runs whose scores have that protocol.
        score: key of the score.
        lower_is_better: direction of the score.
        fingerprint: fingerprint of the protocol.
        baseline: label of a configuration; None compares every pair.
        logarithmic: keys of the parameters that were searched on a logarithmic scale.

    Raises:
        StudyError: no configuration of that label has a score.
    """
    groups = table.groupby(["study", "configuration"], sort=False)
    found = [RankedConfiguration(str(rows["label"].iloc[0]), rows, score) for _, rows in groups]
    sign = 1 if lower_is_better else -1
    found.sort(key=lambda c: (not c.values, sign * c.summary.mean if c.values else 0.0))
    known = {c.label: c for c in found if c.values}
    if baseline is not None and baseline not in known:
        raise StudyError(f"baseline: no configuration {baseline!r} has a {score}; there are {', '.join(known)}")
    chosen = known[baseline] if baseline is not None else None
    return Ranking(score, lower_is_better, fingerprint, found, chosen, logarithmic)


def rankings(
    table: pd.DataFrame,
    fingerprints: pd.Series,
    score: str,
    lower: bool,
    baseline: str | None,
    logarithmic: Collection[str] = (),
) -> list[Ranking]:
    """Make one ranking for each protocol, since scores of different protocols are not comparable.

    The protocol of most runs comes first. A run without a score stands with the other seeds of its configuration, or in
    the first ranking if none of them has a score.

    Args:
        table: tidy table of all runs.
        fingerprints: fingerprint of the score's protocol for each row; None if a row has none.
        score: key of the score.
        lower: whether less is better.
        baseline: label of a configuration; None compares every pair, as does a protocol that has no such label.
        logarithmic: keys of the parameters that were searched on a logarithmic scale.

    Raises:
        StudyError: no configuration has the baseline's label.
    """
    scored = (table["outcome"] == "finished") & table[score].notna()
    digits = fingerprints.where(scored).where(fingerprints.notna() | ~scored, "")
    home = digits.groupby([table["study"], table["configuration"]]).transform("first")
    digits = digits.fillna(home).fillna(digits.dropna().mode().iloc[0])
    if baseline is not None and baseline not in set(table["label"]):
        known = "; ".join(dict.fromkeys(table["label"]))
        raise StudyError(f"baseline: no configuration is called {baseline!r}; there are {known}")
    order = digits.value_counts().index
    parts = [(d, table[digits == d]) for d in order]
    return [rank(rows, score, lower, d, _baseline(rows, score, baseline), logarithmic) for d, rows in parts]


def configuration_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Make the table of configurations, one row each, in the ranking's order."""
    return [_configuration(ranking, c) for c in ranking.configurations]


def comparison_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Make the table of the listed differences, one row each."""
    return [_comparison(ranking, d) for d in ranking.differences]


def _baseline(table: pd.DataFrame, score: str, label: str | None) -> str | None:
    """The baseline's label if a configuration of this protocol has it; else None, and every pair is compared."""
    return label if label in set(table["label"][table[score].notna()]) else None


def _configuration(ranking: Ranking, c: RankedConfiguration) -> dict[str, Any]:
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
        "health_warnings": " ".join(f"{check}:{count}" for check, count in c.warnings.items()),
        "running": c.unfinished,
        "images": c.mean("images"),
        "wall_seconds": c.mean("wall_seconds"),
        **others,
    }


def _comparison(ranking: Ranking, d: Difference) -> dict[str, Any]:
    return {
        "first": d.first.label,
        "second": d.second.label,
        "protocol": ranking.fingerprint,
        "score": ranking.score,
        "seeds": d.n,
        "difference": d.mean,
        "low": d.low,
        "high": d.high,
        "p_holm": d.p,
        "verdict": d.word,
        "more_seeds": d.more_seeds,
    }
