"""Checkpoints found by their path or by the run that made them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.storage.checkpoints import BEST, LAST, CheckpointError, newest, read, read_origin
from ganvas.storage.exported import is_exported
from ganvas.tracking.store import StoreError, existing_store, impatient, tracking_uri

OUTPUT_TAG = "ganvas.output"


def checkpoint_path(source: str, key: str = "source") -> Path:
    """Find the checkpoint of ``source``, and download it from the store if ``source`` is a run.

    Args:
        source: path of a checkpoint, of a folder that holds ``last.ckpt``, of an exported folder (which is returned
            itself), an MLflow run id (its ``last.ckpt`` in the store, else the newest checkpoint in its output
            folder), or ``RUN_ID/best.ckpt``.
        key: the argument that gave it, for the message.

    Raises:
        CheckpointError: ``source`` is neither a path nor a run with a checkpoint, or a folder without one.
    """
    path = Path(source)
    if path.is_dir() and not is_exported(path):
        if not (path / LAST).exists():
            raise _without(key, source)
        return path / LAST
    if path.exists():
        return path
    run_id, _, name = source.partition("/")
    try:
        return _download(run_id, name or LAST)
    except Exception as error:
        if not name and (left := _left_by(run_id)):
            return left
        raise CheckpointError(
            f"{key}={source!r} is neither a checkpoint nor a run with one in {tracking_uri()}, and there is no file or "
            f"folder {path.absolute()}; "
            f"give the path of a {LAST}, a run id as `ganvas train` prints it, or RUN_ID/{BEST}"
        ) from error


def _without(key: str, folder: str) -> CheckpointError:
    return CheckpointError(f"{key}={folder}: no {LAST} in this folder; give the output folder of a training")


def checkpoint_to_resume(source: str) -> Path:
    """Find the checkpoint to resume; if the ``last.ckpt`` of a folder is damaged, the one before it.

    Args:
        source: path of a checkpoint, of an output folder, or an MLflow run id: the newest checkpoint in the run's
            output folder, else its ``last.ckpt`` in the store.

    Raises:
        CheckpointError: there is no checkpoint, or none that is not damaged.
    """
    path = Path(source)
    if path.is_dir():
        if (found := newest(path)) is None:
            raise _without("resume", source)
        return found
    return (None if path.exists() else _left_by(source)) or checkpoint_path(source, "resume")


def _left_by(run_id: str) -> Path | None:
    """Find the newest checkpoint in the output folder of a run; an interrupted run has its checkpoint only there."""
    try:
        folder = existing_store().get_run(run_id).data.tags.get(OUTPUT_TAG)
        path = None if folder is None else newest(Path(folder))
        return path if path is not None and read_origin(read(path))["run_id"] == run_id else None
    except (StoreError, MlflowException, CheckpointError):
        return None


def beside(source: str, name: str) -> Path | None:
    """Find a file that belongs to the checkpoint of ``source``; None if there is none.

    Args:
        source: as for :func:`checkpoint_path`.
        name: path of the file in the folder of the checkpoint, such as ``best.ckpt``.
    """
    path = Path(source)
    if path.exists():
        file = (path if path.is_dir() else path.parent) / name
        return file if file.is_file() else None
    run_id = source.partition("/")[0]
    if (left := _left_by(run_id)) and (left.parent / name).is_file():
        return left.parent / name
    try:
        return _download(run_id, name)
    except Exception:  # the store has no such file, or cannot be reached; the run itself reports the latter
        return None


def _download(run_id: str, name: str) -> Path:
    client = existing_store()
    with impatient():
        return download(client, run_id, f"checkpoints/{name}")


def download(client: MlflowClient, run_id: str, path: str) -> Path:
    """Find an artifact of a run on this machine, or copy it to a folder that is deleted with this process.

    Args:
        client: client of the MLflow store.
        run_id: id of the run.
        path: path of the artifact.
    """
    root = client.get_run(run_id).info.artifact_uri
    if root.startswith("file:"):  # MLflow would copy it
        file = Path(url2pathname(urlparse(root).path)) / path
        return file.resolve(strict=True)
    folder = Path(_copies().name) / run_id
    folder.mkdir(exist_ok=True)  # the same for a second copy, so that copies do not pile up
    return Path(client.download_artifacts(run_id, path, str(folder)))


@cache
def _copies() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ganvas-")
