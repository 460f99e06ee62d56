"""SHA-256 of weights: identifies them, and is verified before a file is used."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


class WeightsError(RuntimeError):
    """Pinned weights cannot be downloaded, or their SHA-256 is not the pinned one."""

    exit_code = 2


def sha256(content: bytes) -> str:
    """SHA-256 of the content in 64 lower-case hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def verify(content: bytes, expected: str, *, what: str, fix: str) -> None:
    """Raise if the content does not have the pinned SHA-256.

    Args:
        content: bytes of a whole file.
        expected: the pinned digest, 64 hexadecimal digits.
        what: name of the file for the message.
        fix: a sentence that tells the user what to do.

    Raises:
        WeightsError: the digests differ.
    """
    received = sha256(content)
    if received != expected:
        raise WeightsError(f"{what}: expected SHA-256 {expected}, got {received} ({len(content)} bytes). {fix}")


def state_sha256(module: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers with their names; it does not depend on the file format."""
    digest = hashlib.sha256()
    for name, x in sorted(module.state_dict().items()):
        digest.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        digest.update(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
