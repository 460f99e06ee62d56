"""Weights are named by their content: SHA-256 of the file, verified before the file is used."""

from __future__ import annotations

import hashlib


class WeightsError(RuntimeError):
    """Pinned weights could not be had, or are not the ones that were pinned."""


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
