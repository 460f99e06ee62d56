"""Small text files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it there: a reader, or a kill, never meets half a file.

    Args:
        path: of the file; its folder exists.
        text: its content.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text)
    os.replace(partial, path)
