"""What a paper's program is: a function from a scale to what was measured, with figures and training at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from matplotlib.figure import Figure

from ganvas.papers.verdict import Measured

Train = Callable[[list[str]], Mapping[str, Any]]
"""Trains by the overrides of ``ganvas train`` and returns what its ``result.json`` holds."""


@final
@dataclass(frozen=True)
class Desk:
    """What a program works with.

    Args:
        folder: for figures.
        train: runs ``ganvas train``.
        report: told each number for the record, by key, besides those that claims are about.
        seed: of everything that the program draws itself.
    """

    folder: Path
    train: Train
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
