"""Batches made by worker processes, whose errors arrive as they were raised.

A ``DataLoader`` puts the traceback of a worker into the text of its error. Here a worker sends a bad input as a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import torch
from torch.utils.data import DataLoader, IterableDataset

from ganvas.data.batches import Batches
from ganvas.data.source import DataError
from ganvas.types import Batch


@final
class _Sent(IterableDataset["Batch | DataError"]):
    """Batches, and as the last value the error that ended them."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Batch | DataError]:
        try:
            yield from self.batches
        except DataError as error:
            yield error


@final
class Loaded:
    """Iterates over batches that worker processes make.

    Args:
        batches: the batches.
        workers: number of processes, at least 1.
        generator: the loader's own; without one, each pass would take a number from the global stream.
    """

    def __init__(self, batches: Batches, workers: int, generator: torch.Generator) -> None:
        self._loader = DataLoader(_Sent(batches), batch_size=None, num_workers=workers, generator=generator)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; raise a worker's DataError with its own message."""
        for sent in self._loader:
            if isinstance(sent, DataError):
                raise sent
            yield sent
