"""Paths that are neither a file nor a folder: opening a pipe can wait for ever, and a device may have no end."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def special(path: Path) -> str:
    """Name what a path is if it is a pipe, a socket or a device; empty for a file, a folder or nothing at all.

    Nothing is opened; a link is followed.

    Args:
        path: any path.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # missing, not accessible, or no path: whoever opens it says so
        return ""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
