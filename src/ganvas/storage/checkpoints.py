"""Checkpoint files: their names, and how they are written and read.

A file is what :func:`torch.save` writes, a zip archive, whose comment is the SHA-256 of all bytes before the comment.
So one file carries its own proof wherever it is copied, and other programs still read it. No content is believed
before the digest agrees: a single wrong bit is found.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from ganvas.storage.special import special

LAST: Final = "last.ckpt"
PREVIOUS: Final = "last-1.ckpt"
"""The checkpoint before the last one."""
BEST: Final = "best.ckpt"

_KINDS: Final = {"images_seen": int, "state_dict": dict, "origin": dict | None}
"""What every reader relies on; the state of a training has an origin, a checkpoint of weights alone has none."""
_COMMENT: Final = re.compile(rb"ganvas sha256 ([0-9a-f]{64})\n")
_LENGTH: Final = 79
_NO_COMMENT: Final = b"\0\0"
"""The last two bytes of a zip archive without a comment: the length of the comment."""
_logger = logging.getLogger("ganvas.storage")


class CheckpointError(ValueError):
    """A checkpoint is missing or damaged, or the file is not a checkpoint of ganvas."""

    exit_code = 2


def write(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Write a checkpoint with the digest of its content.

    Args:
        path: the file; it is overwritten.
        checkpoint: plain values and tensors.
    """
    buffer = io.BytesIO()
    torch.save(dict(checkpoint), buffer)
    content = buffer.getbuffer()
    assert content[-2:] == _NO_COMMENT, "torch.save writes a zip archive without a comment"
    content[-2:] = _LENGTH.to_bytes(2, "little")
    with path.open("wb") as file:
        file.write(content)
        file.write(b"ganvas sha256 %s\n" % hashlib.sha256(content).hexdigest().encode())


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU, without running code from the file, after its digest has been verified.

    Raises:
        CheckpointError: there is no such file, it is damaged, or it is not a checkpoint of ganvas.
    """
    content = _verified(path)
    try:
        checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {error}; give a {LAST} of ganvas") from error
    for key, kind in _KINDS.items():
        if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(key), kind):
            raise CheckpointError(f"{path} is not a checkpoint of ganvas: it does not contain {key}")
    return checkpoint


def load_weights(module: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Give a module the weights of a checkpoint.

    Args:
        module: the module that the checkpoint's config describes.
        checkpoint: what :func:`read` returned.
        source: name of the checkpoint, for the message.

    Raises:
        CheckpointError: a weight is missing, in surplus, or of another shape.
    """
    try:
        module.load_state_dict(checkpoint["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{source}: its weights are not those of the model in its config: {error}") from error


def damage(path: Path) -> str:
    """Describe why a file cannot be believed.

    Args:
        path: a checkpoint.

    Returns:
        One sentence that names the file; empty if its content agrees with its digest.
    """
    try:
        _verified(path)
    except CheckpointError as error:
        return str(error)
    return ""


def read_origin(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Read where a checkpoint comes from; facts that it does not state are empty.

    Args:
        checkpoint: what :func:`read` returned.

    Returns:
        ``run_id``, ``choices`` (of config groups), ``overrides``, ``data`` (hash of each split), ``follows`` (values
        that are derived from the budget), ``folder`` (working folder that relative paths are meant from, or None).
    """
    empty: dict[str, Any] = {"run_id": "", "choices": {}, "overrides": [], "data": {}, "follows": {}, "folder": None}
    return empty | (checkpoint.get("origin") or {})


def newest(folder: Path) -> Path | None:
    """Find the newest checkpoint of a folder whose content agrees with its digest; a warning names a damaged one.

    Args:
        folder: output folder of a training.

    Returns:
        The path of ``last.ckpt``, or of the checkpoint before it if that one is damaged; None if there is neither.

    Raises:
        CheckpointError: all checkpoints of the folder are damaged.
    """
    found = [path for path in (folder / LAST, folder / PREVIOUS) if path.is_file()]
    faults: list[str] = []
    for path in found:
        if not (fault := damage(path)):
            if faults:
                _logger.warning("%s. Going on from the checkpoint before it, %s", faults[0], path)
            return path
        faults.append(fault)
    if faults:
        raise CheckpointError(f"{folder} has no checkpoint to go on from: {'. '.join(faults)}")
    return None


def _verified(path: Path) -> bytes:
    """Read a checkpoint as it is, and compare its content with the digest at its end."""
    if found := special(path):
        raise CheckpointError(f"{path} is {found}, expected a file; it was not opened. Give a {LAST} of ganvas")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; give the path of a {LAST}") from error
    comment = _COMMENT.fullmatch(content, max(len(content) - _LENGTH, 0))
    if comment is None:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: it does not end in the SHA-256 of its content. It is damaged, or "
            f"another file, or of an old version of ganvas, whose runs must be trained again; give a {LAST} of ganvas"
        )
    if hashlib.sha256(memoryview(content)[:-_LENGTH]).hexdigest() != comment[1].decode():
        raise CheckpointError(f"{path} is damaged: its content is not what was written (its SHA-256 differs)")
    return content
