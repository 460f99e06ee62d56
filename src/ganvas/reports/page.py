"""The report as one HTML file: all pictures and a small script are inside it, and it loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import isfinite, isnan
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.tracking import MlflowClient

from ganvas.reports import links
from ganvas.reports.conclusion import conclude
from ganvas.reports.configuration import RankedConfiguration
from ganvas.reports.difference import Difference
from ganvas.reports.plots.gallery import Gallery, gallery
from ganvas.reports.plots.importance import LEAST, importances, varying
from ganvas.reports.plots.parameters import chosen, importance_plot, parallel_plot, slice_plot
from ganvas.reports.plots.scores import budget_groups, budget_plot, curves_plot, ranking_plot
from ganvas.reports.plots.theme import Picture, data_uri
from ganvas.reports.protocols import Calibration, calibration_of, protocol_line, protocol_of
from ganvas.reports.ranking import Ranking
from ganvas.reports.statistics.interval import ENOUGH
from ganvas.scoring.protocol import Protocol, warnings_for

FEW_PAIRS = 21
"""Largest number of differences that are all shown; of more, the page shows those with the best or the baseline."""
MOST_ROWS = 50
"""Largest number of rows in a table of the page."""
EXPLAINED = {
    "t": "the interval is Student's t: mean ± t(97.5%, seeds - 1) sd / √seeds.",
    "bootstrap": "the interval is the bias-corrected and accelerated bootstrap over seeds.",
}
"""Methods of intervals, in a sentence each."""
MOST_SEEDS = 200
"""Largest number of rows in the table of seeds."""


@dataclass(frozen=True)
class Facts:
    """Facts for the head of the page.

    Args:
        studies: names of the studies.
        score: key of the score.
        lower_is_better: direction of the score.
        made: date and time of the report.
        version: version of ganvas.
        refusal: why there are several rankings; empty if there is one.
        left_out: a sentence for each run that cannot be read.
    """

    studies: tuple[str, ...]
    score: str
    lower_is_better: bool
    made: str
    version: str
    refusal: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A section of the page, about one ranking.

    Args:
        ranking: ranking of the scores of one protocol.
        sentences: conclusion of the ranking.
        protocol: protocol of the scores; None if they carry none.
        protocol_line: the protocol in one line.
        warnings: reasons to doubt the scores, one sentence each.
        pictures: pictures by name, without those that could not be drawn.
        gallery: sample grids.
        calibration: floor and ceiling of the score.
    """

    ranking: Ranking
    sentences: list[str]
    protocol: Protocol | None
    protocol_line: str
    warnings: list[str]
    pictures: dict[str, Picture]
    gallery: Gallery
    calibration: Calibration

    @property
    def subject(self) -> RankedConfiguration | None:
        """The baseline, else the best configuration."""
        return self.ranking.baseline or next(iter(self.ranking.ranked), None)

    @cached_property
    def differences(self) -> list[Difference]:
        """Differences that the page shows."""
        every = self.ranking.differences
        if len(every) > FEW_PAIRS:
            subject = self.subject
            every = [d for d in every if d.first is subject or d.second is subject]
        return every[:MOST_ROWS]

    @property
    def configurations(self) -> list[RankedConfiguration]:
        """Configurations that the page shows: the first ones of the ranking."""
        return self.ranking.configurations[:MOST_ROWS]

    @property
    def seeds(self) -> list[tuple[RankedConfiguration, Any]]:
        """Seeds that the page shows, each with its configuration: a row of the tidy table."""
        rows = ((c, row) for c in self.configurations for row in c.rows.itertuples())
        return list(islice(rows, MOST_SEEDS))

    def score_of(self, run: Any) -> float:
        """Score of a row of the tidy table, NaN if it has none."""
        return float(self._scores.get(run.run_id, float("nan")))

    @cached_property
    def _scores(self) -> dict[str, float]:
        """Score by run."""
        rows = pd.concat([c.rows for c in self.ranking.configurations])
        return dict(zip(rows["run_id"], rows[self.ranking.score].astype(float), strict=True))

    def columns(self, prefix: str) -> list[str]:
        """Columns of the tidy table that start with ``prefix`` and hold a value in this ranking."""
        rows = pd.concat([c.rows for c in self.ranking.configurations])
        return [key for key in rows.columns if key.startswith(prefix) and rows[key].notna().any()]

    @property
    def importance_note(self) -> str:
        """Reason why the page shows no shares of importance."""
        if len(varying(self.ranking)) < 2:
            return "Shares of importance need two or more swept parameters."
        return (
            f"Shares of importance need {LEAST} or more configurations with a score, here are "
            f"{len(self.ranking.ranked)}."
        )


def render(facts: Facts, sections: Sequence[Section]) -> str:
    """Render the page as HTML.

    Args:
        facts: facts for the head of the page.
        sections: one section for each protocol, at least one.
    """
    known = {"enough": ENOUGH, "links": links, "explained": EXPLAINED}
    return templates().get_template("report.html.jinja").render(facts=facts, sections=sections, **known)


def templates() -> Environment:
    """Templates of pages, with the filters that write numbers."""
    environment = Environment(
        loader=PackageLoader("ganvas.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "p": p_value, "duration": duration, "uri": data_uri, "short": short}
    return environment


def number(value: float | None) -> str:
    """Write a number with four significant digits; empty for None, NaN or infinity."""
    if value is None or not isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def p_value(value: float) -> str:
    """Write a p-value with two significant digits, as journals print it; empty for NaN."""
    return "" if isnan(value) else "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """Write seconds in days, hours, minutes or seconds; empty for NaN or infinity."""
    if not isfinite(seconds):
        return ""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def short(key: str) -> str:
    """Shorten a score's key by its prefix ``score/``."""
    return key.removeprefix("score/")


def make_section(client: MlflowClient, ranking: Ranking, most: int) -> Section:
    """Make the section of a ranking: its sentences, protocol, pictures and sample grids.

    Args:
        client: client of the MLflow store.
        ranking: ranking of the scores of one protocol.
        most: largest number of configurations in plots of scores and in the gallery.
    """
    protocol = protocol_of(client, ranking)
    shown = ranking.ranked[:most]
    calibration = calibration_of(client, ranking)
    return Section(
        ranking,
        conclude(ranking),
        protocol,
        protocol_line(protocol) if protocol else "the scores carry no protocol",
        warnings_for(protocol) if protocol else [],
        {picture.name: picture for picture in _pictures(client, ranking, shown, calibration)},
        gallery(client, shown),
        calibration,
    )


def _pictures(
    client: MlflowClient, ranking: Ranking, shown: Sequence[RankedConfiguration], calibration: Calibration
) -> list[Picture]:
    if not shown:
        return []
    made = [ranking_plot(ranking, shown, calibration.sides)]
    if max(len(means) for means in budget_groups(ranking).values()) > 1:
        made.append(budget_plot(ranking))
    if varying(ranking):
        shares = importances(ranking)
        made += [importance_plot(shares)] if shares else []
        keys = chosen(ranking, shares)
        made += [slice_plot(ranking, keys), parallel_plot(ranking, keys)]
    key = f"val/{ranking.score.partition('/')[2]}"
    history = _histories(client, pd.concat([c.scored for c in shown]), (key,))
    return [*made, curves_plot(ranking, shown, history)] if len(history) else made


def _histories(client: MlflowClient, runs: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """Read the values of a score over training, with one request for each run.

    Args:
        client: client of the MLflow store.
        runs: rows of the tidy table.
        keys: keys of metrics; a run's values under all of these keys make one curve.

    Returns:
        Columns ``run_id``, ``step`` (images seen), ``seconds`` (since the run began, pauses included) and ``value``, by
        run and step, without NaN.
    """
    points = [
        (run_id, metric.step, (metric.timestamp - start) / 1000, metric.value)
        for run_id, start in zip(runs["run_id"].astype(str), runs["start"].astype(int), strict=True)
        for key in keys
        for metric in client.get_metric_history(run_id, key)
    ]
    table = pd.DataFrame(points, columns=["run_id", "step", "seconds", "value"]).dropna()
    return table.sort_values(["run_id", "step"]).drop_duplicates(["run_id", "step"], keep="last")
