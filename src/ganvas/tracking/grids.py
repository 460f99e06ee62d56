"""Pictures that a run logged, by images seen."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.tracking.outcomes import reason
from ganvas.tracking.recorded import RecordError
from ganvas.tracking.store import existing_store

SAMPLES: Final = "samples"
"""Key of the grids of samples, which are always drawn from the same noise."""
_FILE: Final = re.compile(r"images/(?P<key>.+?)[+%]step[+%](?P<step>\d+)[+%]timestamp[+%](?P<time>\d+)[+%].*\.png$")


def grid_paths(client: MlflowClient, run_id: str) -> dict[int, str]:
    """Find the latest grid of samples at each step.

    Args:
        client: client of the MLflow store.
        run_id: id of the run.

    Returns:
        Path among the run's artifacts by images seen, rising.
    """
    found = [(_FILE.match(entry.path), entry.path) for entry in client.list_artifacts(run_id, "images")]
    ours = [(int(m["time"]), int(m["step"]), path) for m, path in found if m is not None and m["key"] == SAMPLES]
    latest = {step: path for _, step, path in sorted(ours)}
    return dict(sorted(latest.items()))


def logged_grids(run_id: str) -> dict[int, Image.Image]:
    """Read all grids of samples of a run in the configured store, by images seen.

    Args:
        run_id: id of the run.

    Raises:
        RecordError: the store has no such run.
        StoreError: the store cannot be read.
    """
    client = existing_store()
    try:
        return {seen: read_grid(client, run_id, path) for seen, path in grid_paths(client, run_id).items()}
    except MlflowException as error:
        raise RecordError(
            f"{run_id!r}: no run with pictures in this store ({reason(error)}); give the id of a run logged here"
        ) from error


def read_grid(client: MlflowClient, run_id: str, path: str) -> Image.Image:
    """Read a picture among the artifacts of a run.

    Args:
        client: client of the MLflow store.
        run_id: id of the run.
        path: path of the picture among the artifacts.
    """
    with tempfile.TemporaryDirectory() as folder:
        # No other format: Pillow would give an EPS file to Ghostscript, which runs the program in it.
        picture = Image.open(Path(client.download_artifacts(run_id, path, folder)), formats=("PNG",))
        return picture.convert("RGB")
