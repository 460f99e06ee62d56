"""Snapshots of averaged weights: one file of safetensors for each time, beside the checkpoints.

A checkpoint lists the snapshots that its training has written, each with its SHA-256: no content is believed before the
digest agrees, and reading runs no code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganvas.storage.atomic import write_atomically
from ganvas.storage.checkpoints import CheckpointError
from ganvas.storage.special import special

SNAPSHOTS: Final = "ema"
"""Folder of the snapshots beside the checkpoints."""
_BETWEEN: Final = "/"

Averages = Mapping[float, Mapping[str, Tensor]]
"""Tensors by key, by relative width of the average."""


def snapshot_name(images_seen: int) -> str:
    """Return the path of a snapshot beside the checkpoints."""
    return f"{SNAPSHOTS}/images-{images_seen:012d}.safetensors"


def write_snapshot(path: Path, averages: Averages) -> str:
    """Write averages atomically.

    Args:
        path: the file; its folder is made if absent.
        averages: all averages of one time.

    Returns:
        SHA-256 of the file.
    """
    # Copies, row by row: safetensors takes neither tensors that share memory nor those laid out channels last.
    named = {
        f"{width!r}{_BETWEEN}{key}": tensor.detach().cpu().contiguous().clone()
        for width, tensors in averages.items()
        for key, tensor in tensors.items()
    }
    content = save(named)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_snapshot(path: Path, digest: str) -> Averages:
    """Read averages onto the CPU.

    Args:
        path: the file.
        digest: SHA-256 of its content.

    Raises:
        CheckpointError: there is no such file, or its content is another one.
    """
    if found := special(path):
        raise CheckpointError(f"{path} is {found}, expected a file; it was not opened")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read as a snapshot: {error}; leave ema out") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{path} is not the snapshot that was written (its SHA-256 differs); leave ema out")
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read as a snapshot: {error}; leave ema out") from error
    averages: dict[float, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        width, _, key = name.partition(_BETWEEN)
        averages.setdefault(float(width), {})[key] = tensor
    return averages
