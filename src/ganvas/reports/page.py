"""The report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, isnan

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from mlflow.tracking import MlflowClient

from ganvas.reports.conclusion import conclude
from ganvas.reports.configuration import Configuration
from ganvas.reports.plots.gallery import Gallery, gallery
from ganvas.reports.plots.importance import LEAST, importances, varying
from ganvas.reports.plots.parameters import chosen, importance_plot, parallel_plot, slice_plot
from ganvas.reports.plots.scores import budget_groups, budget_plot, curves_plot, ranking_plot
from ganvas.reports.plots.theme import Picture, data_uri
from ganvas.reports.protocols import protocol_line, protocol_of
from ganvas.reports.ranking import Comparison, Ranking
from ganvas.reports.statistics.interval import ENOUGH
from ganvas.scoring.protocol import Protocol, warnings_for

FEW_PAIRS = 21
"""So many comparisons are all shown; of more, those with the best or the baseline."""
MOST_ROWS = 50


@dataclass(frozen=True)
class Facts:
    """What the head of the page says.

    Args:
        studies: their names.
        score: key of the score.
        lower_is_better: its direction.
        made: date and time of the report.
        version: of ganvas.
        refusal: why there are several rankings; empty where there is one.
    """

    studies: tuple[str, ...]
    score: str
    lower_is_better: bool
    made: str
    version: str
    refusal: str


@dataclass(frozen=True)
class Section:
    """Of one ranking.

    Args:
        ranking: what it is about.
        sentences: the conclusion.
        protocol: of the scores, None where they carry none.
        protocol_line: the same in a line.
        warnings: what to know before believing the scores.
        pictures: by name; a picture that could not be drawn is absent.
        gallery: sample grids.
    """

    ranking: Ranking
    sentences: list[str]
    protocol: Protocol | None
    protocol_line: str
    warnings: list[str]
    pictures: dict[str, Picture]
    gallery: Gallery

    @property
    def subject(self) -> Configuration | None:
        """The baseline, else the best."""
        return self.ranking.baseline or next(iter(self.ranking.ranked), None)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Those that the page shows."""
        every = self.ranking.comparisons
        if len(every) > FEW_PAIRS:
            subject = self.subject
            every = [c for c in every if c.first is subject or c.second is subject]
        return every[:MOST_ROWS]

    @property
    def configurations(self) -> list[Configuration]:
        """Those that the page shows: the best, and all that have no score."""
        return self.ranking.configurations if len(self.ranking.configurations) <= MOST_ROWS else self._best()

    def _best(self) -> list[Configuration]:
        return self.ranking.configurations[:MOST_ROWS]

    def columns(self, prefix: str) -> list[str]:
        """Columns of the tidy table that start so and hold a value here."""
        rows = pd.concat([c.rows for c in self.ranking.configurations])
        return [key for key in rows.columns if key.startswith(prefix) and rows[key].notna().any()]

    @property
    def importance_note(self) -> str:
        """Why there are no shares of importance."""
        if len(varying(self.ranking)) < 2:
            return "Shares of importance need two or more swept parameters."
        return (
            f"Shares of importance need {LEAST} or more configurations with a score, here are "
            f"{len(self.ranking.ranked)}."
        )


def render(facts: Facts, sections: Sequence[Section]) -> str:
    """The page.

    Args:
        facts: for its head.
        sections: one a protocol, at least one.
    """
    environment = Environment(
        loader=PackageLoader("ganvas.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "p": p_value, "duration": duration, "uri": data_uri, "short": short}
    return environment.get_template("report.html.jinja").render(facts=facts, sections=sections, enough=ENOUGH)


def number(value: float | None) -> str:
    """Four significant digits; nothing for a value that there is not."""
    if value is None or not isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def p_value(value: float) -> str:
    """Two digits, as journals print them."""
    return "" if isnan(value) else "< 0.0001" if value < 1e-4 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """In the unit that a reader would choose."""
    if not isfinite(seconds):
        return ""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def short(key: str) -> str:
    """A score's key without the word that all of them start with."""
    return key.removeprefix("score/")


def make_section(client: MlflowClient, ranking: Ranking, most: int) -> Section:
    """Draw and read all that the page shows of a ranking.

    Args:
        client: of the store.
        ranking: of one protocol.
        most: configurations in plots of scores and in the gallery.
    """
    protocol = protocol_of(client, ranking)
    shown = ranking.ranked[:most]
    return Section(
        ranking,
        conclude(ranking),
        protocol,
        protocol_line(protocol) if protocol else "the scores carry no protocol",
        warnings_for(protocol) if protocol else [],
        {picture.name: picture for picture in _pictures(client, ranking, shown)},
        gallery(client, shown),
    )


def _pictures(client: MlflowClient, ranking: Ranking, shown: Sequence[Configuration]) -> list[Picture]:
    if not shown:
        return []
    made = [ranking_plot(ranking, shown)]
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
    """A score's course.

    Args:
        client: of the store.
        runs: rows of the tidy table.
        keys: of metrics; a run's values of all of them make one course.

    Returns:
        Columns ``run_id``, ``step`` (images seen), ``seconds`` (since the run began, pauses included), ``value``; by
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
