"""Pictures of the model's samples, always from the same noise; of a conditional model with a row a class.

The step of a picture is the multiple of the period that was due, so that runs with other batches have pictures at the
same steps, and MLflow shows them side by side.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from PIL import Image
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganvas.data import pictures
from ganvas.models.by_class import across_classes, rows_of_classes
from ganvas.run.callbacks.every import Every
from ganvas.storage.atomic import write_atomically
from ganvas.storage.best_effort import BestEffort
from ganvas.tracking.run import Run
from ganvas.types import Batch, DrawsClasses, Reconstructs, Watched

ALL: Final = "grids"
"""Folder of all pictures, ``KEY-STEP.webp``."""
ROW: Final = "row"
"""Key of the first row of the samples, which stands for a run beside others."""


class SampleGrids(Callback):
    """Logs ``samples``, and ``reconstructions`` if the model can make them, before the first step and when due.

    ``folder`` gets the latest as PNG, and all of them, with the first row of each, below :data:`ALL`.

    Args:
        run: receives the pictures.
        every: images between two grids.
        rows: number of rows of the grid, at least 1; a conditional model has a row a class instead.
        columns: number of columns of the grid, at least 1.
        seed: seed of the noise, the same for every grid.
        held_out: examples the model is not trained on; images are reconstructed (half the
            grid's cells), points are the background of the scatter.
        folder: folder of ``samples.png`` and ``reconstructions.png``; it is created.
    """

    def __init__(
        self,
        run: Run,
        every: int,
        rows: int,
        columns: int,
        seed: int,
        held_out: Batch,
        folder: str | Path,
    ) -> None:
        if rows < 1 or columns < 1:
            raise ValueError(f"grid.rows and grid.columns must be at least 1, got {rows} x {columns}")
        self._run = run
        self._every = Every(every)
        self._rows, self._columns = rows, columns
        self._seed = seed
        self._held_out = held_out
        self._folder = Path(folder)
        self._drawn: int | None = None
        self._files = BestEffort("pictures in the output folder")

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock, and draw the samples of the first weights."""
        self._every.start(pl_module.images_seen)
        if pl_module.images_seen == 0:
            self._draw(pl_module, 0)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Draw when due."""
        if self._every.due(pl_module.images_seen):
            self._draw(pl_module, self._every.last())

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draw the samples of the final weights."""
        if self._drawn != pl_module.images_seen:
            self._draw(pl_module, pl_module.images_seen)

    def _draw(self, model: Watched, step: int) -> None:
        self._drawn = model.images_seen
        if self._held_out.x.ndim == 2:
            points = model.sample(len(self._held_out), self._seed)
            picture = pictures.scatter(points, self._held_out.x)
            self._show("samples", picture, step)
            self._keep(ROW, picture, step)
            return
        samples, row = self._samples(model)
        self._show("samples", pictures.grid(samples, self._columns), step)
        self._keep(ROW, pictures.grid(row, self._columns), step)
        if isinstance(model, Reconstructs):
            originals = self._held_out[: max(1, self._rows // 2) * self._columns].to(model.device)
            pairs = pictures.pairs(originals.x, model.reconstruct(originals), self._columns)
            self._show("reconstructions", pairs, step)

    def _samples(self, model: Watched) -> tuple[Tensor, Tensor]:
        """Draw the examples of the picture, and choose those of the row that stands for it."""
        if isinstance(model, DrawsClasses) and model.classes is not None:
            samples = rows_of_classes(model, range(model.classes), self._columns, self._seed)
            return samples, across_classes(samples, self._columns)
        samples = model.sample(self._rows * self._columns, self._seed)
        return samples, samples[: self._columns]

    def _show(self, key: str, picture: Tensor, step: int) -> None:
        self._run.image(key, picture, step=step)
        self._files(lambda: _write(self._folder / f"{key}.png", picture))
        self._keep(key, picture, step)

    def _keep(self, key: str, picture: Tensor, step: int) -> None:
        self._files(lambda: _write(self._folder / ALL / f"{key}-{step:012d}.webp", picture))


def _write(path: Path, picture: Tensor) -> None:
    content = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(content, path.suffix.removeprefix("."))
    write_atomically(path, content.getvalue())  # the end of a study reads the rows, also those of a full disk
