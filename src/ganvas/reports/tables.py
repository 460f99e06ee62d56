"""The report's tables for other programs: CSV and the part of ``result.json`` that they make up."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ganvas.reports.configuration import Configuration
from ganvas.reports.ranking import Comparison, Ranking


def configuration_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a configuration, in the ranking's order."""
    return [_configuration(ranking, c) for c in ranking.configurations]


def comparison_rows(ranking: Ranking) -> list[dict[str, Any]]:
    """A row a comparison, every one that the correction is for."""
    return [_comparison(ranking, c) for c in ranking.comparisons]


def runs_table(table: pd.DataFrame) -> pd.DataFrame:
    """The tidy table as it is written: protocols in one column of text."""
    return table.assign(protocol=[" ".join(sorted(set(digits.values()))) for digits in table["protocol"]])


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
