"""The data module, by which training and scoring read data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

import pytorch_lightning as pl
import torch

from ganvas.data.batches import Batches, labels_at, model_input
from ganvas.data.loaded import Loaded
from ganvas.data.seeding import stream
from ganvas.data.source import DataError, Examples, Source
from ganvas.data.transforms import Transform
from ganvas.types import Batch


@final
class DataModule(pl.LightningDataModule):
    """A source, a transform, and the batches made of them.

    Args:
        source: the data set to read.
        transform: applied to training and held-out batches alike.
        batch_size: training images in one step of all processes.
        seed: seed of the order of training images.
        workers: number of processes that decode files; used only for data that does not fit into memory.

    Attributes:
        start: images seen before the next :meth:`train_dataloader`; a resumed run sets it before the fit.

    Raises:
        DataError: an argument out of range, or a transform that cannot serve the source.
    """

    def __init__(self, source: Source, transform: Transform, batch_size: int, seed: int, workers: int) -> None:
        super().__init__()
        if workers < 0:
            raise DataError(f"workers={workers}: must be at least 0.")
        if batch_size < 1:
            raise DataError(f"batch_size={batch_size}: must be at least 1.")
        transform.check(source.shape)
        self.source, self.transform = source, transform
        self.batch_size, self.seed, self.workers = batch_size, seed, workers
        self.start = 0
        self._loaded: dict[str, Examples] = {}

    def examples(self, split: str) -> Examples:
        """Read the examples of a split; each split is read once.

        Raises:
            DataError: see :meth:`Source.load`.
        """
        if split not in self._loaded:
            self._loaded[split] = self.source.load(split)
        return self._loaded[split]

    def prepare_data(self) -> None:
        """Read, and if necessary download, all splits in one process of a node before the others do."""
        for split in self.source.splits:
            self.examples(split)

    def train_dataloader(self) -> Iterable[Batch]:
        """Make the endless stream of batches from :attr:`start` on, see :class:`~ganvas.data.batches.Batches`."""
        examples = self.examples("train")
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = Batches(
            examples,
            self.transform,
            batch_size=self.batch_size,
            seed=self.seed,
            start=self.start,
            rank=rank,
            world_size=world_size,
        )
        if examples.in_memory or not self.workers:
            return batches  # bare: a DataLoader adds 40 us a batch and nothing else
        return Loaded(batches, self.workers, stream("loader", self.seed))

    def held_out(self, split: str, n: int | None, batch_size: int) -> Iterator[Batch]:
        """Iterate over a split, or over ``n`` examples spread over it, in its own order.

        The examples and the draws of the transform depend neither on the seed of the run nor on ``batch_size``.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
            n: number of examples, from 1 to all; None for all.
            batch_size: size of all batches but the last, at least 1.

        Yields:
            Batches as the model takes them.

        Raises:
            DataError: an argument out of range.
        """
        examples = self.examples(split)
        n = len(examples) if n is None else n
        if not 1 <= n <= len(examples) or batch_size < 1:
            raise DataError(
                f"n={n}, batch_size={batch_size}: n must be from 1 to the {len(examples)} examples of {split}, "
                "batch_size at least 1."
            )
        return self._held_out(examples, split, n, batch_size)

    def _held_out(self, examples: Examples, split: str, n: int, batch_size: int) -> Iterator[Batch]:
        # A random subset: splits may be sorted by class, and their first n would then miss classes.
        chosen = torch.randperm(len(examples), generator=stream("held out", split))[:n].sort().values
        generator = stream("held out transform", split)
        for index in chosen.split(batch_size):
            x = self.transform(model_input(examples.batch(index)), index, generator)
            yield Batch(x, labels_at(examples, index), index)

    def some(self, split: str, n: int) -> Batch:
        """Read ``n`` examples spread over a split, or all if there are fewer, as one batch; see :meth:`held_out`.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.
            n: number of examples, at least 1.
        """
        n = min(n, len(self.examples(split)))
        return next(self.held_out(split, n, n))

    def described(self) -> str:
        """Describe the data in one line: ``folder: 312 images of 3x64x64: 247/30/35 train/val/test, 2 resized``."""
        sizes = {split: len(self.examples(split)) for split in self.source.splits}
        shape, kind = self.source.shape, "images" if len(self.source.shape) == 3 else "points"
        counts = f"{'/'.join(f'{n:,}' for n in sizes.values())} {'/'.join(sizes)}"
        head = f"{self.source.name}: {sum(sizes.values()):,} {kind} of {'x'.join(map(str, shape))}: {counts}"
        is_read = all(self.examples(split).in_memory for split in sizes)  # else the remarks would count a part
        return ", ".join([head, *(self.source.remarks() if is_read else ())])

    def fingerprints(self) -> dict[str, str]:
        """Hash the content of every split."""
        return {split: self.examples(split).fingerprint() for split in self.source.splits}
