"""Locks between processes that a killed process does not leave behind."""

from __future__ import annotations

import errno
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock

_FOR_ALL: Final = 0o666
"""Mode of the file, which holds nothing: where a folder is shared, all its users must be able to lock."""
_NONE: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system without locks answers; among network file systems there are such ones."""


@contextmanager
def locked(path: Path, timeout: int | float) -> Iterator[None]:
    """Hold a lock inside the block; on a file system without locks go on without one, with a warning.

    Args:
        path: file of the lock; its folder exists. It stays: deleting it would let two processes lock two files.
        timeout: longest time to wait for another process, in seconds; a negative one waits for ever.

    Raises:
        filelock.Timeout: another process has it.
        OSError: the file cannot be opened.
    """
    lock = FileLock(path, timeout=timeout, mode=_FOR_ALL)
    try:
        if not path.exists():
            _require_place(path)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NONE:
            raise
        warnings.warn(
            f"the file system of {path.parent} has no locks; let no two commands write there at once", stacklevel=3
        )
    try:
        yield
    finally:
        lock.release()


def _require_place(path: Path) -> None:
    """Raise where no file can be made, as a read-only folder: FileLock would try again and again."""
    probe = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    probe.unlink()
