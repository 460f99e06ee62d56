"""What a reproduction leaves in its folder until it ends, so that a stopped one goes on when its line is repeated.

Only a line that names its folder, ``paths.output=DIR``, can be repeated in it: the default folder has the time in its
name. Trainings that had ended are not repeated, one that was stopped goes on from its checkpoint, and all of them
belong to the same study. Another paper, scale, seed or commit is another reproduction and is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ganvas.config import ConfigError
from ganvas.storage.atomic import write_json

FILE: Final = "reproduction.json"


def stopped(folder: Path, request: Mapping[str, Any]) -> tuple[str, int] | None:
    """Find a stopped reproduction in the output folder.

    Args:
        folder: the output folder.
        request: what is to be reproduced: paper, scale, seed, commit.

    Returns:
        Id of the study's run, and how often the reproduction was started; None if none was stopped here.

    Raises:
        ConfigError: the stopped reproduction is another one.
    """
    try:
        found = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    before = found["request"]
    changed = [key for key in request if before.get(key) != request[key]]
    if changed:
        differing = "; ".join(f"{key}: {before.get(key)} there, {request[key]} now" for key in changed)
        raise ConfigError(
            f"paths.output={folder}: it holds another reproduction that was stopped ({differing}); name "
            "another folder, or delete this one"
        )
    return found["run_id"], found["starts"]


def begin(folder: Path, request: Mapping[str, Any], run_id: str, starts: int) -> None:
    """Write what :func:`stopped` reads.

    Args:
        folder: the output folder.
        request: see :func:`stopped`.
        run_id: id of the study's run.
        starts: how often the reproduction was started, this time included.
    """
    write_json(folder / FILE, {"request": dict(request), "run_id": run_id, "starts": starts})


def end(folder: Path) -> None:
    """Remove what :func:`begin` wrote: the reproduction has ended, and the same line begins a new one."""
    (folder / FILE).unlink()
