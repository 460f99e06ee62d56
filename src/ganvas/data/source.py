"""What a data set promises: named splits of examples, each with a fingerprint of its content.

A :class:`Source` is a recipe (which files, which split, which size); :class:`Examples` is what a split holds, reached
by index. Two splits with the same :meth:`Examples.fingerprint` hold the same examples in the same order.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from ganvas.types import Shape

SPLITS = ("train", "val", "test")


class DataError(ValueError):
    """Bad input data: the message names what was read, what is wrong with it and how to mend it."""

    exit_code = 2


class Examples(ABC):
    """The examples of one split, in a fixed order.

    Attributes:
        shape: of one example: ``(c, h, w)`` of an image, ``(2,)`` of a point.
        labels: class or mode of each example, where the source knows it.
        in_memory: whether :meth:`batch` only copies, so that worker processes would cost more than they save.
    """

    shape: Shape
    labels: Int64[Tensor, " n"] | None
    in_memory: bool

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"]:
        """The examples at these positions, in this order: ``uint8`` images, or ``float32`` points.

        Args:
            index: positions in ``[0, len(self))``, repeats allowed.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the content, 64 hexadecimal digits: the same on every machine and file system."""


@final
class TensorExamples(Examples):
    """Examples held as one tensor.

    Args:
        data: ``uint8`` images ``(n, c, h, w)`` in [0, 255], or ``float32`` points ``(n, d)``.
        labels: one a row, or None.
        digest: the fingerprint, where it is known from the files that were read; else that of the tensor's content.
    """

    def __init__(
        self,
        data: UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"],
        labels: Int64[Tensor, " n"] | None = None,
        digest: str | None = None,
    ) -> None:
        self.shape = tuple(data.shape[1:])
        self.data = data.contiguous()
        self.labels = labels
        self.in_memory = True
        self._digest = digest

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"]:
        """See :meth:`Examples.batch`; one copy."""
        return self.data.index_select(0, index)

    def fingerprint(self) -> str:
        """See :meth:`Examples.fingerprint`; here :func:`content_hash`, unless the files' own is known."""
        if self._digest is None:
            self._digest = content_hash(self)
        return self._digest


def content_hash(examples: Examples, chunk: int = 8192) -> str:
    """SHA-256 of type, shape and bytes (little endian) in order: the same for one tensor as for chunks of it.

    Args:
        examples: what to read, whole.
        chunk: how many examples are held at a time; the result does not depend on it.
    """
    kind = str(examples.batch(torch.arange(min(1, len(examples)))).dtype)
    digest = hashlib.sha256(f"{kind} {(len(examples), *examples.shape)}\n".encode())
    for index in torch.arange(len(examples)).split(chunk):
        digest.update(examples.batch(index).numpy().data)
    return digest.hexdigest()


class Source(ABC):
    """A named data set with train, val and test splits.

    Args:
        name: what the runs and scores call it.
        shape: of one example; what the networks are built for.
    """

    classes: tuple[str, ...] | None = None
    """Names of the classes in the order of their labels; None if the examples have no labels."""

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        self.name = name
        self.shape: Shape = tuple(int(size) for size in shape)

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """The splits that exist, in the order of :data:`SPLITS`."""

    @property
    def report_split(self) -> str:
        """What models are reported on: ``"test"``, or ``"train"`` where the data have no other."""
        return "test" if "test" in self.splits else "train"

    @abstractmethod
    def _load(self, split: str) -> Examples:
        """Read one split that exists."""

    def load(self, split: str) -> Examples:
        """Read one split, downloading it first where that is needed and possible.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            DataError: no such split, nothing to read, a corrupt file, or content that is not of ``shape``.
        """
        if split not in self.splits:
            raise DataError(
                f"split={split!r}: {self.name} has the splits {', '.join(self.splits)}."
                + (" Set data.val above 0 to hold validation examples out." if split == "val" else "")
            )
        examples = self._load(split)
        if not len(examples):
            raise DataError(f"{self.name}: the split {split!r} is empty; add examples or change how data is split.")
        require_shape(self.name, self.shape, examples.shape)
        return examples


def require_shape(name: str, given: Sequence[int], expected: Sequence[int]) -> None:
    """Refuse a stated shape that is not the data's.

    Raises:
        DataError: naming both.
    """
    if tuple(given) != tuple(expected):
        raise DataError(
            f"shape={list(given)}: the examples of {name} have shape {list(expected)}; set data.shape to that."
        )
