"""What a paper's program is: a function from a scale to what was measured, with figures at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from matplotlib.figure import Figure

from ganvas.papers.verdict import Measured


@final
@dataclass(frozen=True)
class Desk:
    """What a program works with.

    Args:
        folder: for figures.
        report: told each number for the record, by key, besides those that claims are about.
        seed: of everything that the program draws itself.
    """

    folder: Path
    seed: int
    report: dict[str, float] = field(default_factory=dict)

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as ``<name>.png``.

        Args:
            name: of the file, without its end.
            figure: drawn.
        """
        figure.savefig(self.folder / f"{name}.png", dpi=150, bbox_inches="tight")


Program = Callable[[str, Desk], dict[str, Measured]]
"""Takes a scale and a desk; returns what was measured by the id of the claim, for every claim of that scale."""
