"""Sample grids of several configurations side by side, after the same numbers of images."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.reports.configuration import Configuration

KEY = "samples"
MOST_STEPS = 3
LARGEST = 320
"""Pixels that a grid is wide at most."""
_FILE = re.compile(r"images/(?P<key>.+?)[+%]step[+%](?P<step>\d+)[+%]timestamp[+%](?P<time>\d+)[+%].*\.png$")


@dataclass(frozen=True)
class Row:
    """One configuration's grids.

    Args:
        label: of the configuration.
        seed: of the run they are of.
        grids: PNG by number of images seen; None where the run has none there.
    """

    label: str
    seed: int
    grids: dict[int, bytes | None]


@dataclass(frozen=True)
class Gallery:
    """Rows of grids at the same steps.

    Args:
        steps: images seen, rising; empty where no run has grids.
        rows: one a configuration.
    """

    steps: list[int]
    rows: list[Row]


def gallery(client: MlflowClient, shown: Sequence[Configuration]) -> Gallery:
    """Grids of one seed of each configuration, the same seed where all have one, at steps that all of them reached.

    Args:
        client: of the store.
        shown: configurations with scores.
    """
    common = set.intersection(*(set(c.values) for c in shown)) if shown else set()
    picked = [(c, min(common) if common else min(c.values)) for c in shown]
    files = [_files(client, _run_id(c, seed)) for c, seed in picked]
    drawn = [set(found) for found in files if found]
    steps = _spread(sorted(set.intersection(*drawn))) if drawn else []
    rows = [
        Row(c.label, seed, {step: _grid(client, _run_id(c, seed), found.get(step)) for step in steps})
        for (c, seed), found in zip(picked, files, strict=True)
        if found
    ]
    return Gallery(steps, rows if steps else [])


def _run_id(configuration: Configuration, seed: int) -> str:
    rows = configuration.scored
    return str(rows["run_id"][rows["seed"] == seed].iloc[0])


def _files(client: MlflowClient, run_id: str) -> dict[int, str]:
    """Path of the latest grid at each step."""
    found = [(_FILE.match(entry.path), entry.path) for entry in client.list_artifacts(run_id, "images")]
    ours = [(int(m["time"]), int(m["step"]), path) for m, path in found if m is not None and m["key"] == KEY]
    return {step: path for _, step, path in sorted(ours)}


def _spread(steps: Sequence[int]) -> list[int]:
    """At most three of them: the first, the middle and the last."""
    if len(steps) <= MOST_STEPS:
        return list(steps)
    return [steps[0], steps[len(steps) // 2], steps[-1]]


def _grid(client: MlflowClient, run_id: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        image = Image.open(Path(client.download_artifacts(run_id, path, folder))).copy()
    if image.width > LARGEST:
        image = image.resize((LARGEST, round(image.height * LARGEST / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
