"""Atomic writes, so that no file is ever half written: temporary file beside the target, fsync, rename."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LOCK: Final = ".training.lock"
"""File in the output folder that a training locks. It stays: deleting it would let two trainings lock two files."""


def write_atomically(path: Path, content: bytes) -> None:
    """Create or replace a file; a crash at any moment leaves either the old or the new content on disk.

    Args:
        path: the target; its folder is made if absent.
        content: the whole content of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # tempfile would make a file that only its owner can read, whatever the umask is.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an indented JSON file atomically; values that JSON cannot hold are written as text.

    Args:
        path: the target; its folder is made if absent.
        content: the whole content of the file.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    write_atomically(path, f"{text}\n".encode())
