"""Finding a checkpoint by where it lies or by the run that made it."""

from __future__ import annotations

from pathlib import Path

from mlflow.tracking import MlflowClient

from ganvas.tracking.checkpoints import LAST
from ganvas.tracking.store import impatient, tracking_uri


class CheckpointError(ValueError):
    """There is no checkpoint where one was said to be."""

    exit_code = 2


def checkpoint_path(source: str) -> Path:
    """Where the checkpoint of ``source`` is, downloaded from the store where it must be.

    Args:
        source: path of a checkpoint, of a folder that holds ``last.ckpt``, or an MLflow run id.

    Raises:
        CheckpointError: neither a path nor a run with a checkpoint.
    """
    path = Path(source)
    if path.exists():
        return path / LAST if path.is_dir() else path
    try:
        with impatient():
            return Path(MlflowClient(tracking_uri()).download_artifacts(source, f"checkpoints/{LAST}"))
    except Exception as error:
        raise CheckpointError(
            f"{source!r} is neither a checkpoint nor a run with one in {tracking_uri()}; "
            "give the path of a last.ckpt, or a run id as `ganvas train` prints it"
        ) from error
