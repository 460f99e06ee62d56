"""Several sources in one table: in the order of one score, each with its difference from the best one.

The best source is chosen by its score, so that its differences alone are no family: Holm's correction covers every pair
of sources. Sources whose first score has another protocol than that of most are refused, with the conditions that
differ; another score of another protocol is left out of its column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import inf, isnan
from typing import Any

from matplotlib.figure import Figure

from ganvas.metrics.registry import lower_is_better
from ganvas.reports.contrast import Contrast, contrasts, interval, known
from ganvas.reports.page import number, short, templates
from ganvas.reports.plots.scores import WIDTH, is_wide, plain_ticks
from ganvas.reports.plots.theme import Mark, Picture, colors, folded, paint, tidy_axes
from ganvas.reports.protocols import how_they_differ, protocol_line
from ganvas.scoring.found import Found
from ganvas.scoring.protocol import Protocol, warnings_for
from ganvas.scoring.replicates import Replicates, Spread


@dataclass(frozen=True, eq=False)
class Contender:
    """A source with its scores.

    Args:
        name: a label of the source.
        found: its scores with their protocols.
        replicates: its scores of halves of the images, by key.
    """

    name: str
    found: Found
    replicates: Mapping[str, Replicates]


@dataclass(frozen=True)
class Place:
    """A row of the table.

    Args:
        name: the source.
        spread: its score with the variance over images.
        against_best: the score minus that of the best source; None for the best one.
        others: its other scores of the common protocols, by key.
    """

    name: str
    spread: Spread
    against_best: Contrast | None
    others: Mapping[str, Spread]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval of the score, over samples and reference; NaN without an error."""
        return interval(self.spread)


@dataclass(frozen=True)
class Leaderboard:
    """The table.

    Args:
        score: key of the score that orders the sources.
        lower_is_better: direction of the score.
        places: rows, the best first.
        contrasts: differences of all pairs, the better source second.
        protocol: the common protocol of the score.
        refused: why a source or a score stands in no row, one sentence each.
        failed: message of each source that could not be scored, by name.
    """

    score: str
    lower_is_better: bool
    places: Sequence[Place]
    contrasts: Sequence[Contrast]
    protocol: Protocol
    refused: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def others(self) -> list[str]:
        """Keys of the other scores, in their order."""
        return list(dict.fromkeys(key for place in self.places for key in place.others))

    @property
    def protocol_line(self) -> str:
        """The protocol in one line."""
        return protocol_line(self.protocol)

    @property
    def warnings(self) -> list[str]:
        """Reasons to doubt the scores, one sentence each."""
        return warnings_for(self.protocol)

    @property
    def sentences(self) -> list[str]:
        """The conclusion."""
        best, *rest = self.places
        low, high = best.interval
        ends = "" if isnan(low) else f" [{low:.4g}, {high:.4g}]"
        said = [f"Best: {best.name}, {self.score.rpartition('/')[2]} {best.spread.value:.4g}{ends}."]
        against = [place.against_best for place in rest if place.against_best is not None]
        family = len(self.contrasts)
        correction = "" if family == 1 else f", corrected for {family} comparisons"
        if beaten := [c.first for c in against if c.word == "worse"]:
            said.append(f"It is better than {'; '.join(beaten)} (over images{correction}).")
        said += [f"Against {c.first} the difference is within noise: {c.advice}." for c in against if c.advice]
        return said + [f"Against {c.first} no error is known." for c in against if c.word == "no error known"]

    @cached_property
    def pictures(self) -> dict[str, Picture]:
        """Pictures of the page by name."""
        return {"places": _picture(self)}

    def rows(self) -> list[dict[str, Any]]:
        """Make the table as it is written to ``leaderboard.csv`` and ``result.json``."""
        return [self._row(place) for place in self.places]

    def _row(self, place: Place) -> dict[str, Any]:
        low, high = place.interval
        row = {
            "source": place.name,
            "score": self.score,
            "value": known(place.spread.value),
            "low": known(low),
            "high": known(high),
        }
        told = {} if place.against_best is None else place.against_best.as_dict()
        shown = ("difference", "p_holm", "verdict", "paired", "samples_needed", "reference_needed")
        row |= {name: told.get(name) for name in shown}
        row |= {"difference_low": told.get("low"), "difference_high": told.get("high")}
        row |= {key: known(place.others[key].value) if key in place.others else None for key in self.others}
        return {**row, "protocol": self.protocol.fingerprint()}


def leaderboard(contenders: Sequence[Contender], failed: Mapping[str, str]) -> Leaderboard:
    """Order sources by their first score that has a direction, and compare each pair.

    Args:
        contenders: at least one source.
        failed: message of each source that could not be scored, by name.

    Raises:
        ValueError: no score of the sources has a direction.
    """
    keys = dict.fromkeys(key for c in contenders for key in c.found.scores)
    directed = [key for key in keys if lower_is_better(key) is not None]
    if not directed:
        raise ValueError(f"metrics: none of {', '.join(keys)} says which source is better; add one such as fd")
    score, refused = directed[0], []
    kept, reasons = of_one_protocol(contenders, score)
    refused += reasons
    others: dict[str, dict[str, Spread]] = {}
    for key in keys:
        if key != score and (having := [c for c in kept if key in c.found.scores]):
            same, reasons = of_one_protocol(having, key)
            others[key] = {c.name: c.replicates[key].spread for c in same}
            refused += reasons
    return _ordered(score, kept, others, refused, failed)


def of_one_protocol(contenders: Sequence[Contender], key: str) -> tuple[list[Contender], list[str]]:
    """Keep the sources whose score has the most frequent protocol, of equally frequent ones the first.

    Args:
        contenders: at least one of them has the score.
        key: key of the score.

    Returns:
        Those sources, and a sentence for each other one.
    """
    having = [c for c in contenders if key in c.found.scores]
    digits = Counter(c.found.protocols[key].fingerprint() for c in having).most_common(1)[0][0]
    kept = [c for c in having if c.found.protocols[key].fingerprint() == digits]
    common = kept[0].found.protocols[key]
    refused = [f"{c.name} has no {short(key)}" for c in contenders if c not in having]
    for c in having:
        if c not in kept:
            refused.append(f"{c.name}, {short(key)}: {how_they_differ([common, c.found.protocols[key]])}")
    return kept, refused


def _ordered(
    score: str,
    contenders: Sequence[Contender],
    others: Mapping[str, Mapping[str, Spread]],
    refused: Sequence[str],
    failed: Mapping[str, str],
) -> Leaderboard:
    lower = bool(lower_is_better(score))

    def rank(contender: Contender) -> float:
        value = contender.replicates[score].value
        return inf if isnan(value) else value if lower else -value

    ranked = sorted(contenders, key=rank)
    of = {c.name: c.replicates[score] for c in ranked}
    pairs = [(worse, better, score, of[worse].minus(of[better])) for better, worse in combinations(of, 2)]
    judged = contrasts(pairs, {score: lower})
    to_best = {c.first: c for c in judged if c.second == ranked[0].name}
    places = [
        Place(
            c.name,
            c.replicates[score].spread,
            to_best.get(c.name),
            {key: spreads[c.name] for key, spreads in others.items() if c.name in spreads},
        )
        for c in ranked
    ]
    return Leaderboard(score, lower, places, judged, ranked[0].found.protocols[score], refused, failed)


def render(board: Leaderboard, reference: str, made: str, version: str) -> str:
    """Render the page as HTML; all pictures and a small script are inside it.

    Args:
        board: the table.
        reference: name of the reference.
        made: date and time.
        version: version of ganvas.
    """
    page = templates().get_template("leaderboard.html.jinja")
    return page.render(board=board, reference=reference, made=made, version=version)


def _picture(board: Leaderboard) -> Picture:
    """Draw score and 95% interval of each source, the best on top."""

    def draw(figure: Figure) -> Iterator[Mark]:
        axes = figure.subplots()
        for y, (place, color) in enumerate(zip(board.places, colors(len(board.places)), strict=True)):
            axes.plot(place.interval, [y, y], color=color, linewidth=2.2)
            axes.scatter([place.spread.value], [y], s=56, color=color, zorder=3)
        axes.set_yticks(range(len(board.places)), [folded(place.name) for place in board.places])
        axes.set_ylim(len(board.places) - 0.5, -0.5)
        axes.set_xlabel(f"{short(board.score)} ({'lower' if board.lower_is_better else 'higher'} is better)")
        if is_wide(*axes.get_xlim()):
            axes.set_xscale("log")
            plain_ticks(axes.xaxis)
        tidy_axes(axes, "x")
        for y, place in enumerate(board.places):
            yield axes, place.spread.value, y, f"{place.name}: {number(place.spread.value)}"

    size = (WIDTH, 0.9 + 0.42 * len(board.places))
    return paint("places", "Score and interval of each source", size, draw)
