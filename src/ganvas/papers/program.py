"""The interface of a paper's program: a function from a scale to measurements, which also draws figures."""

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
    """The working place of a program: its folder, seed and study.

    Args:
        folder: output folder for figures and runs.
        seed: seed of the program's own draws, and of its first training.
        data: folder of downloaded data.
        study: name of the study that holds the trainings.
        run_id: id of the study's run in MLflow, the parent of the trainings.
        experiment: name of the MLflow experiment.
        goes_on: whether the folder holds trainings of the same reproduction, which was stopped.
        report: further numbers for the results file, by key, which the program fills in.
    """

    folder: Path
    seed: int
    data: str
    study: str
    run_id: str
    experiment: str
    goes_on: bool = False
    report: dict[str, float] = field(default_factory=dict)

    def seeds(self, n: int) -> list[int]:
        """Seeds of ``n`` trainings of one configuration."""
        return list(range(self.seed, self.seed + n))

    def figure(self, name: str, figure: Figure) -> None:
        """Save a figure as ``<name>.png`` in the output folder."""
        figure.savefig(self.folder / f"{name}.png", dpi=150, bbox_inches="tight")

    def samples(self, name: str, images: Float[Tensor, "n c h w"]) -> None:
        """Save images as a grid of ten columns, ``<name>.png`` in the output folder.

        Args:
            name: name of the file without ``.png``.
            images: images with values in [-1, 1].
        """
        Image.fromarray(grid(images, columns=10).permute(1, 2, 0).numpy()).save(self.folder / f"{name}.png")


Program = Callable[[str, Desk], dict[str, Measured]]
"""Takes a scale and a desk; returns the measurement of every claim at that scale, by the claim's id."""
