"""Rows of the benchmark: what is measured against what, and how low it shall be."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

PEAK: Final = r"""
import re
def peak(): return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", open("/proc/self/status").read())[1])
"""
"""Largest resident memory of a process, bytes: lines of its program. ``ru_maxrss`` begins at that of its parent."""


class Options(NamedTuple):
    """Options of a measurement.

    Args:
        rounds: repetitions, whose median counts.
        threads: threads of torch.
    """

    rounds: int
    threads: int


class Skipped(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Found:
    """What was measured.

    Args:
        values: one for each round, in ``unit``.
        unit: ``x`` for a ratio, ``s``, ``GB``.
        note: the quantities behind a ratio, or what limits it.
    """

    values: list[float]
    unit: str
    note: str = ""

    def says(self) -> str:
        """Write the median, and the smallest and largest value of several."""
        unit = "" if self.unit == "x" else f" {self.unit}"
        spread = f" ({min(self.values):.3g} to {max(self.values):.3g})" if len(self.values) > 1 else ""
        return f"{statistics.median(self.values):.3g}{unit}{spread}"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        name: short name.
        against: what it is compared with; empty for a time or a memory on its own.
        target: largest value that is good enough; None without a target.
    """

    name: str
    against: str
    target: float | None


@dataclass(frozen=True)
class Part:
    """Rows that are measured together, in a process of their own.

    Args:
        name: name on the command line.
        rows: the rows, in the order of the table.
        measure: measures all rows; returns what was found by the row's name.
    """

    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Options], dict[str, Found]]


def alone(name: str, against: str, target: float | None, measure: Callable[[Options], Found]) -> Part:
    """Make the part of a single row."""
    return Part(name, (Row(name, against, target),), lambda options: {name: measure(options)})
