r"""Random streams named by what they are for.

A stream is the generator seeded with :math:`h(k_1, k_2, \dots)`, a cryptographic hash of its key. Keys that differ
anywhere give unrelated streams, so that (seed 1, epoch 2) is not (seed 2, epoch 1), nor is seed 0 special.
"""

from __future__ import annotations

import hashlib

import torch


def derive(*key: int | str) -> int:
    """A 63-bit seed from a key, the same on every machine.

    Args:
        key: what the stream is for: a purpose, then the numbers that tell it from others of that purpose.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def stream(*key: int | str) -> torch.Generator:
    """A CPU generator for a key (see :func:`derive`)."""
    return torch.Generator().manual_seed(derive(*key))
