"""The output folder of a training, which belongs to one training at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout
from pytorch_lightning.utilities import rank_zero_only

from ganvas.config import ConfigError
from ganvas.storage.atomic import LOCK
from ganvas.storage.locks import locked


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder for the length of the block; a killed process keeps nobody out.

    Args:
        folder: output folder of the training; it is made.

    Raises:
        ConfigError: another training writes to the folder.
    """
    with ExitStack() as lock:
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            _take(lock, folder)
        yield


def _take(lock: ExitStack, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.enter_context(locked(folder / LOCK, 0))
    except Timeout:
        raise ConfigError(
            f"paths.output={folder}: another training writes to this folder; wait for its end, or write another "
            "paths.output"
        ) from None
    except OSError:
        pass  # not writable: the training itself reports this
