r"""The stream of training batches, whose order is a pure function of (seed, epoch).

Position :math:`p` counts images seen. It lies in epoch :math:`e = \lfloor p / n \rfloor` at offset :math:`p - e n`, and
shows example :math:`\pi_{s,e}(p - e n)`, where :math:`\pi_{s,e}` is the permutation drawn from a generator seeded by a
hash of (seed, epoch). A position is therefore restored by arithmetic, without a replay of earlier positions.

Batches cross the boundaries of epochs: all batches are full, and every example is shown exactly once in each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import final

import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ganvas.data.seeding import stream
from ganvas.data.source import DataError, Examples
from ganvas.data.transforms import Transform
from ganvas.types import Batch, to_float


def model_input(batch: Tensor) -> Float32[Tensor, " n *shape"]:
    """Convert examples at rest to the input of models: images to [-1, 1], points unchanged."""
    return to_float(batch) if batch.dtype == torch.uint8 else batch


def labels_at(examples: Examples, index: Int64[Tensor, " n"]) -> Int64[Tensor, " n"] | None:
    """Classes of the examples at these positions; None where the source knows none."""
    return None if examples.labels is None else examples.labels[index]


@final
class Batches(IterableDataset[Batch]):
    """An endless stream of model-ready batches.

    In a ``DataLoader(batches, batch_size=None)`` the order does not depend on the number of workers: worker w of W
    makes batches w, w + W, ..., which is the order in which the loader asks for them.

    Args:
        examples: the training examples.
        transform: applied to each batch, after the conversion to float.
        batch_size: examples in a batch of all processes; a multiple of ``world_size``, at most ``len(examples)``.
        seed: seed of order and transform, any integer.
        start: images seen before the first batch, at least 0.
        rank: number of this process, which gets its slice of every batch.
        world_size: number of processes.

    Raises:
        DataError: an argument out of range.
    """

    def __init__(
        self,
        examples: Examples,
        transform: Transform,
        *,
        batch_size: int,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not 1 <= batch_size <= len(examples):
            raise DataError(
                f"batch_size={batch_size}: must be from 1 to the number of training examples, {len(examples)}; "
                "lower it or add data."
            )
        if not 0 <= rank < world_size or batch_size % world_size:
            raise DataError(
                f"batch_size={batch_size}, rank={rank}, world_size={world_size}: the batch of all processes must be a "
                "multiple of their number, and rank below it."
            )
        if start < 0:
            raise DataError(f"start={start}: images seen must be at least 0.")
        transform.check(examples.shape)
        self.examples, self.transform = examples, transform
        self.batch_size, self.seed, self.start = batch_size, seed, start
        self.rank, self.world_size = rank, world_size
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for number in count(first, step):
            yield self.at(self.start + number * self.batch_size)

    def at(self, position: int) -> Batch:
        """Make this process's slice of the batch that starts at a position.

        Args:
            position: images seen by all processes before the batch, at least 0.
        """
        share = self.batch_size // self.world_size
        position += self.rank * share
        index = self.order(position, share)
        x = self.transform(model_input(self.examples.batch(index)), index, stream("transform", self.seed, position))
        return Batch(x, labels_at(self.examples, index), index)

    def order(self, position: int, length: int) -> Int64[Tensor, " length"]:
        """Give the indices of the examples shown at positions ``position`` to ``position + length - 1``."""
        parts = []
        while length:
            epoch, offset = divmod(position, len(self.examples))
            parts.append(self._permutation(epoch)[offset : offset + length])
            position, length = position + len(parts[-1]), length - len(parts[-1])
        return torch.cat(parts)

    def _permutation(self, epoch: int) -> Int64[Tensor, " n"]:
        """Draw the order of one epoch; the latest order is kept."""
        if epoch != self._epoch:
            self._order = torch.randperm(len(self.examples), generator=stream("order", self.seed, epoch))
            self._epoch = epoch
        return self._order
