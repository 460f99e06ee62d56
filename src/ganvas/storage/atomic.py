"""Files that are there whole or not at all: temporary file beside the target, fsync, rename."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes) -> None:
    """Replace or create a file; a crash at any moment leaves the old content or the new one, on disk.

    Args:
        path: the target; its folder is made if absent.
        content: all of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile's: that one is readable by its owner alone, whatever the umask says.
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
    """Write a ``result.json`` or its like, for programs and people; what JSON does not know is written as text.

    Args:
        path: the target; its folder is made if absent.
        content: all of it.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    write_atomically(path, f"{text}\n".encode())
