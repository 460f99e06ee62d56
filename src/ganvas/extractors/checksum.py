"""Weights are named by their content: SHA-256 of the file, verified before the file is used."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


class WeightsError(RuntimeError):
    """Pinned weights could not be had, or are not the ones that were pinned."""

    exit_code = 2


def sha256(content: bytes) -> str:
    """SHA-256 in 64 hexadecimal digits.

    Args:
        content: bytes of a whole file.

    Returns:
        Lower-case hexadecimal digest.
    """
    return hashlib.sha256(content).hexdigest()


def verify(content: bytes, expected: str, *, what: str, fix: str) -> None:
    """Refuse content that is not what was pinned.

    Args:
        content: bytes of a whole file.
        expected: the pinned digest, 64 hexadecimal digits.
        what: the file, as the user knows it.
        fix: what the user should do, as a sentence.

    Raises:
        WeightsError: the digests differ.
    """
    received = sha256(content)
    if received != expected:
        raise WeightsError(f"{what}: expected SHA-256 {expected}, got {received} ({len(content)} bytes). {fix}")


def state_sha256(module: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers, by name: the same however they were stored.

    Args:
        module: any network.

    Returns:
        Lower-case hexadecimal digest.
    """
    digest = hashlib.sha256()
    for name, x in sorted(module.state_dict().items()):
        digest.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        digest.update(x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
