"""Samples of all configurations of a study in one picture: a row for each, from the same noise, at the same step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganvas.data import pictures
from ganvas.run.callbacks.grids import ALL, ROW
from ganvas.sweeps.finished import Finished


def composites(configurations: Iterable[Finished]) -> Iterator[tuple[int, Tensor]]:
    """Compose one picture for each step at which a configuration has samples.

    Args:
        configurations: each is shown by its first seed; one without pictures has no row.

    Yields:
        Images seen, and the picture, ``uint8 (3, h, w)``.
    """
    rows = {one.name: _rows(one.output) for one in configurations if one.output is not None}
    for step in sorted({step for found in rows.values() for step in found}):
        yield step, pictures.labelled([(name, _read(found[step])) for name, found in rows.items() if step in found])


def _rows(output: Path) -> dict[int, Path]:
    return {int(path.stem.rpartition("-")[2]): path for path in (output / ALL).glob(f"{ROW}-*.webp")}


def _read(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)
