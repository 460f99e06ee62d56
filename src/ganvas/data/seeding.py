r"""Random streams, each named by a key.

A stream is the generator seeded with :math:`h(k_1, k_2, \dots)`, a cryptographic hash of its key. Different keys give
unrelated streams, so that (seed 1, epoch 2) differs from (seed 2, epoch 1), and seed 0 is not special.
"""

from __future__ import annotations

import hashlib
from typing import Final

import torch

from ganvas.data.source import DataError

SEEDS: Final = 2**32
"""Number of seeds: NumPy takes no others."""


def derive(*key: int | str) -> int:
    """Derive a 63-bit seed from a key; it is the same on every machine.

    Args:
        key: purpose of the stream, then the numbers that distinguish it from other streams of this purpose.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def stream(*key: int | str) -> torch.Generator:
    """Make the CPU generator of a key (see :func:`derive`)."""
    return torch.Generator().manual_seed(derive(*key))


def require_seed(key: str, seed: int) -> None:
    """Refuse a seed that not every random generator takes.

    Args:
        key: key of the config, for the message.
        seed: its value.

    Raises:
        DataError: the seed is out of range.
    """
    if not 0 <= seed < SEEDS:
        raise DataError(f"{key}={seed}: expected a whole number from 0 to {SEEDS - 1:,}; write {key}=1")
