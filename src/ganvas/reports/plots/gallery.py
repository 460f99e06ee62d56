"""Sample grids of several configurations side by side, after equal numbers of images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.reports.configuration import RankedConfiguration
from ganvas.tracking.grids import grid_paths, read_grid

MOST_STEPS = 3
LARGEST = 320
"""Largest width of a grid, pixels."""


@dataclass(frozen=True)
class Row:
    """Grids of one configuration.

    Args:
        label: label of the configuration.
        seed: seed of the run that the grids are from.
        grids: PNG by number of images seen; None if the run has no grid at that number.
    """

    label: str
    seed: int
    grids: dict[int, bytes | None]


@dataclass(frozen=True)
class Gallery:
    """Rows of grids at the same steps.

    Args:
        steps: numbers of images seen, rising; empty if no run has grids.
        rows: one row for each configuration.
    """

    steps: list[int]
    rows: list[Row]


def gallery(client: MlflowClient, shown: Sequence[RankedConfiguration]) -> Gallery:
    """Collect the grids of one seed of each configuration, at steps that all of them reached.

    Args:
        client: client of the MLflow store.
        shown: configurations with scores; if they have a seed in common, its grids are taken.
    """
    common = set.intersection(*(set(c.values) for c in shown)) if shown else set()
    picked = [(c, min(common) if common else min(c.values)) for c in shown]
    files = [grid_paths(client, _run_id(c, seed)) for c, seed in picked]
    drawn = [set(found) for found in files if found]
    steps = _spread(sorted(set.intersection(*drawn))) if drawn else []
    rows = [
        Row(c.label, seed, {step: _grid(client, _run_id(c, seed), found.get(step)) for step in steps})
        for (c, seed), found in zip(picked, files, strict=True)
        if found
    ]
    return Gallery(steps, rows if steps else [])


def _run_id(configuration: RankedConfiguration, seed: int) -> str:
    rows = configuration.scored
    return str(rows["run_id"][rows["seed"] == seed].iloc[0])


def _spread(steps: Sequence[int]) -> list[int]:
    """Choose at most three steps: the first, the middle and the last."""
    if len(steps) <= MOST_STEPS:
        return list(steps)
    return [steps[0], steps[len(steps) // 2], steps[-1]]


def _grid(client: MlflowClient, run_id: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    image = read_grid(client, run_id, path)
    if image.width > LARGEST:
        image = image.resize((LARGEST, round(image.height * LARGEST / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
