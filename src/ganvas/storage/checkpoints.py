"""Checkpoint files: their names, and how to read one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch

from ganvas.storage.special import special

LAST: Final = "last.ckpt"
BEST: Final = "best.ckpt"


class CheckpointError(ValueError):
    """A checkpoint is missing, or the file is not a checkpoint of ganvas."""

    exit_code = 2


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, without running code from the file.

    Raises:
        CheckpointError: it is not a checkpoint of ganvas.
    """
    if found := special(path):
        raise CheckpointError(f"{path} is {found}, expected a file; it was not opened. Give a last.ckpt of ganvas")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}; give a last.ckpt of ganvas") from error
    if "images_seen" not in checkpoint:
        raise CheckpointError(f"{path} is not a checkpoint of ganvas: it does not contain images_seen")
    return checkpoint
