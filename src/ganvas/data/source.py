"""The promises of a data set: named splits of examples, each with a fingerprint of its content.

A :class:`Source` is a recipe (files, splits, size); :class:`Examples` are the examples of one split, found by index.
Two splits with the same :meth:`Examples.fingerprint` have the same examples in the same order.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from ganvas.storage.special import special
from ganvas.types import Shape

SPLITS = ("train", "val", "test")


class DataError(ValueError):
    """Bad input data; the message names the input, the fault and a fix."""

    exit_code = 2


@final
@dataclass(frozen=True)
class KnownFactor:
    """A known factor of variation of a data set, such as the size of the object that its images show.

    Args:
        name: name of the factor, unique in the data set.
        values: number of its values, at least 2; they are numbered from 0.
        ordered: whether the numbers follow an order, as sizes and positions do; False for kinds, such as shapes.
    """

    name: str
    values: int
    ordered: bool


class Examples(ABC):
    """The examples of one split, in a fixed order.

    Attributes:
        shape: of one example: ``(c, h, w)`` of an image, ``(2,)`` of a point.
        labels: class of each example, an index of :attr:`Source.classes`; None without classes.
        factors: value of each example in each of :attr:`Source.factors`, by its number; None if no factor is known.
        in_memory: whether :meth:`batch` only copies, so that worker processes would cost more time than they save.
    """

    shape: Shape
    labels: Int64[Tensor, " n"] | None
    factors: Int64[Tensor, "n f"] | None = None
    in_memory: bool

    @abstractmethod
    def __len__(self) -> int:
        """Count the examples."""

    @abstractmethod
    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"]:
        """Read the examples at some positions, in this order: ``uint8`` images, or ``float32`` points.

        Args:
            index: positions in ``[0, len(self))``; repeats are allowed.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash the content: SHA-256, 64 hexadecimal digits, the same on every machine and file system.

        Labels and factors are not part of the content.
        """


@final
class TensorExamples(Examples):
    """Examples held as one tensor.

    Args:
        data: ``uint8`` images ``(n, c, h, w)`` in [0, 255], or ``float32`` points ``(n, d)``.
        labels: class of each example, or None.
        digest: fingerprint of the files that were read; None computes it from the tensor.
        factors: value of each example in each factor, or None.
    """

    def __init__(
        self,
        data: UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"],
        labels: Int64[Tensor, " n"] | None = None,
        digest: str | None = None,
        factors: Int64[Tensor, "n f"] | None = None,
    ) -> None:
        self.shape = tuple(data.shape[1:])
        self.data = data.contiguous()
        self.labels, self.factors = labels, factors
        self.in_memory = True
        self._digest = digest

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"] | Float32[Tensor, "n d"]:
        """See :meth:`Examples.batch`; one copy."""
        return self.data.index_select(0, index)

    def fingerprint(self) -> str:
        """See :meth:`Examples.fingerprint`; it is the given digest, else :func:`content_hash`."""
        if self._digest is None:
            self._digest = content_hash(self)
        return self._digest


def content_hash(examples: Examples, chunk: int = 8192) -> str:
    """Hash type, shape and bytes (little endian) of all examples by SHA-256.

    Args:
        examples: the examples to hash.
        chunk: number of examples in memory at a time; the result does not depend on it.
    """
    kind = str(examples.batch(torch.arange(min(1, len(examples)))).dtype)
    digest = hashlib.sha256(f"{kind} {(len(examples), *examples.shape)}\n".encode())
    for index in torch.arange(len(examples)).split(chunk):
        digest.update(examples.batch(index).numpy().data)
    return digest.hexdigest()


class Source(ABC):
    """A named data set with train, val and test splits.

    Args:
        name: name of the data set in runs and scores.
        shape: shape of one example, for which the networks are built.
    """

    classes: tuple[str, ...] | None = None
    """Names of the classes in the order of their labels; None if the examples have no labels."""
    factors: tuple[KnownFactor, ...] | None = None
    """Known factors of variation, in the order of the columns of :attr:`Examples.factors`; None if none is known."""
    place: Path | None = None
    """File or folder that the examples are read from; None if they are drawn, or come with a package."""

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        self.name = name
        self.shape: Shape = tuple(int(size) for size in shape)

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Name the splits that exist, in the order of :data:`SPLITS`."""

    @property
    def report_split(self) -> str:
        """Name the split on which models are reported: ``"test"``, or ``"train"`` if there is no test split."""
        return "test" if "test" in self.splits else "train"

    def remarks(self) -> tuple[str, ...]:
        """Say what was changed in the examples read so far, a few words each; nothing by default."""
        return ()

    @abstractmethod
    def _load(self, split: str) -> Examples:
        """Read one split that exists."""

    def load(self, split: str) -> Examples:
        """Read one split, and download it first if it is missing.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            DataError: the split does not exist or is empty, a file is missing or corrupt, or the shape is another.
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
    """Refuse a stated shape that differs from the shape of the data.

    Raises:
        DataError: the shapes differ; names both.
    """
    if tuple(given) != tuple(expected):
        raise DataError(
            f"shape={list(given)}: the examples of {name} have shape {list(expected)}; set data.shape to that."
        )


def require_file(path: Path) -> None:
    """Refuse a pipe, a socket or a device before it is opened; a missing file is left to whoever opens it.

    Raises:
        DataError: the path is none of a file, a folder or nothing.
    """
    if found := special(path):
        raise DataError(
            f"{path}: {found}, expected a file; it was not opened. Delete it, or, in a folder of images, set "
            "data.skip_corrupt=true to leave such paths out."
        )
