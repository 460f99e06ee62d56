"""The report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan

from jinja2 import Environment, PackageLoader, StrictUndefined

from ganvas.reports.plots.theme import data_uri
from ganvas.reports.section import Section
from ganvas.reports.statistics.interval import ENOUGH


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
