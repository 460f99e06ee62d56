"""The output folder of a training, which belongs to one training at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from pytorch_lightning.utilities import rank_zero_only

from ganvas.config import ConfigError
from ganvas.storage.atomic import LOCK


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder for the length of the block; a killed process keeps nobody out.

    Args:
        folder: output folder of the training; it is made.

    Raises:
        ConfigError: another training writes to the folder.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        with suppress(OSError, NotImplementedError):  # no locks, or not writable: the training itself reports this
            folder.mkdir(parents=True, exist_ok=True)
            _take(lock, folder)
    try:
        yield
    finally:
        lock.release()


def _take(lock: FileLock, folder: Path) -> None:
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"paths.output={folder}: another training writes to this folder; wait for its end, or write another "
            "paths.output"
        ) from None
