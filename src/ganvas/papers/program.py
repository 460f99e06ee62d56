"""What a paper's program is: a function from a scale to what was measured, with figures at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from ganvas.data.pictures import grid
from ganvas.papers.judgement import Measured


@final
@dataclass(frozen=True)
class Desk:
    """What a program works with.

    Args:
        folder: for figures and runs.
        seed: of everything that the program draws itself, and the first of its trainings.
        data: folder of downloads.
        study: its name.
        run_id: of the study's run in MLflow, below which trainings stand.
        experiment: of MLflow.
        report: told each number for the record, by key, besides those that claims are about.
    """

    folder: Path
    seed: int
    data: str
    study: str
    run_id: str
    experiment: str
    report: dict[str, float] = field(default_factory=dict)

    def seeds(self, n: int) -> list[int]:
        """Seeds of ``n`` trainings of one configuration.

        Args:
            n: how many.
        """
        return list(range(self.seed, self.seed + n))

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as ``<name>.png``.

        Args:
            name: of the file, without its end.
            figure: drawn.
        """
        figure.savefig(self.folder / f"{name}.png", dpi=150, bbox_inches="tight")

    def samples(self, name: str, images: Float[Tensor, "n c h w"]) -> None:
        """Keep images as a grid of ten columns, ``<name>.png``.

        Args:
            name: of the file, without its end.
            images: in [-1, 1].
        """
        Image.fromarray(grid(images, columns=10).permute(1, 2, 0).numpy()).save(self.folder / f"{name}.png")


Program = Callable[[str, Desk], dict[str, Measured]]
"""Takes a scale and a desk; returns what was measured by the id of the claim, for every claim of that scale."""
