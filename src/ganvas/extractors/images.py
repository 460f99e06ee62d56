"""Sets of images that are read or drawn in batches, so that they are never all in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, final, runtime_checkable

import torch
from jaxtyping import Int64
from torch import Tensor

from ganvas.types import Shape


@runtime_checkable
class Indexed(Protocol):
    """Examples that are found by their positions, as :class:`ganvas.data.source.Examples`.

    Attributes:
        shape: shape of one example.
    """

    shape: Shape

    def batch(self, index: Int64[Tensor, " n"]) -> Tensor:
        """Read the examples at some positions, in this order."""
        ...


class Images(ABC):
    """Abstract: a set of examples in a fixed order, any part of which can be read; it can be sent to a process.

    Attributes:
        shape: shape of one example.
        together: number of examples that are computed together; a part starts at a multiple of it, so that the parts
            of several processes are, bit for bit, those of one process.
    """

    shape: Shape
    together: ClassVar[int] = 1

    @abstractmethod
    def __len__(self) -> int:
        """Count the examples."""

    @abstractmethod
    def batches(self, start: int, stop: int, size: int) -> Iterator[Tensor]:
        """Yield examples in batches: ``uint8`` images, or ``float32`` points.

        Args:
            start: position of the first example, a multiple of ``together``.
            stop: position behind the last one.
            size: number of examples in a batch; the last batch may be smaller.
        """


@final
@dataclass(frozen=True, eq=False)
class Selected(Images):
    """Some examples of a split, or all of them.

    Args:
        examples: the split.
        index: positions of the examples.
    """

    examples: Indexed
    index: Int64[Tensor, " n"]

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Shape of one example."""
        return self.examples.shape

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, start: int, stop: int, size: int) -> Iterator[Tensor]:
        """See :meth:`Images.batches`."""
        yield from (self.examples.batch(index) for index in self.index[start:stop].split(size))


def regrouped(chunks: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Yield the rows of some tensors in batches of another size.

    Args:
        chunks: tensors of any number of rows.
        size: number of rows in a batch; the last batch may be smaller.
    """
    kept: list[Tensor] = []
    for chunk in chunks:
        rows = torch.cat([*kept, chunk]) if kept else chunk
        whole = len(rows) // size * size
        yield from rows[:whole].split(size) if whole else ()
        kept = [rows[whole:]] if whole < len(rows) else []
    yield from kept
