"""Prints scores as a table in the terminal: value, uncertainty and what it is over, floor and ceiling."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from ganvas.metrics.base import Score
from ganvas.scoring.found import Found


def print_scores(title: str, found: Found, console: Console) -> None:
    """Print one row for each score, and below the table the findings and notes.

    Args:
        title: names of subject and reference.
        found: result of the measurement.
        console: prints the table.
    """
    # The scores of one metric have one protocol; the first of them names it.
    first = {digits: key.removeprefix("score/") for key, digits in reversed(found.fingerprints().items())}
    names = Counter(key.rpartition("/")[2] for key in first.values())
    protocols = ", ".join(f"{_short(key, names)} {digits}" for digits, key in reversed(first.items()))
    table = Table(title=title, title_justify="left", caption=f"protocols: {protocols}", caption_justify="left")
    table.add_column("score", overflow="fold")
    for column in ("value", "±", "floor", "ceiling"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("± over", overflow="fold")
    for key, score in found.scores.items():
        calibration = [_number(side.get(key)) for side in (found.floor, found.ceiling)]
        table.add_row(key.removeprefix("score/"), _number(score.value), _sd(score), *calibration, score.sd_over)
    console.print(table)
    for finding in found.findings:
        console.print(f"{finding.state:4} {finding.name}: {finding.reason}", soft_wrap=True, markup=False)
    for note in found.notes:
        console.print(f"note {note}", soft_wrap=True, markup=False)


def _short(key: str, names: Counter[str]) -> str:
    """Leave the extractor out of a key, unless several have a score of this name."""
    name = key.rpartition("/")[2]
    return name if names[name] == 1 else key


def _sd(score: Score) -> str:
    return "" if score.sd is None else f"{score.sd:.2g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
