r"""Stacked MNIST: three digits as the red, green and blue channel of one image, 1000 modes.

The mode of an image is :math:`100 a + 10 b + c` for the digits :math:`a, b, c` of its channels. Digits are drawn with
replacement, uniformly over the split's images, so that modes are nearly equally likely and their true number is known.

Reference: Metz et al. 2016, Section 3.3.1, https://arxiv.org/abs/1611.02163; Lin et al. 2018, Section 4.2,
https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.source import SPLITS, DataError, Examples, Source, content_hash, require_shape


@final
class StackedExamples(Examples):
    """Triples of grey images, which are stacked at access (three numbers per image are kept, not its pixels).

    Args:
        digits: grey images, ``(1, h, w)`` each, with labels 0 to 9.
        triples: positions in ``digits``, one for each channel.
    """

    def __init__(self, digits: Examples, triples: Int64[Tensor, "n 3"]) -> None:
        if digits.labels is None or len(digits.shape) != 3:
            raise DataError(f"digits: expected labelled grey images, got shape {list(digits.shape)}; use mnist.")
        self.digits, self.triples = digits, triples
        self.shape = (3, *digits.shape[1:])
        self.labels = (digits.labels[triples] * torch.tensor([100, 10, 1])).sum(1)
        self.in_memory = digits.in_memory

    def __len__(self) -> int:
        return len(self.triples)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`."""
        return self.digits.batch(self.triples[index].flatten()).reshape(len(index), *self.shape)

    def fingerprint(self) -> str:
        """See :func:`~ganvas.data.source.content_hash`."""
        return content_hash(self)


@final
class StackedMnist(Source):
    """Triples of digits drawn once, each split from the same split of ``digits``.

    The 1000 classes are the modes, named by their three digits.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(3, h, w)`` where the digits are ``(1, h, w)``.
        digits: labelled source of digits, such as ``mnist`` or ``mnist5k``.
        train: number of training images, at least 1.
        val: number of validation images; 0 for no such split.
        test: number of test images; 0 for no such split.
        seed: seed of the composition, at least 0.

    Raises:
        DataError: an argument out of range.
    """

    classes = tuple(f"{mode:03d}" for mode in range(1000))

    def __init__(
        self, name: str, shape: Sequence[int], digits: Source, train: int, val: int, test: int, seed: int
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (3, *digits.shape[1:]))
        if train < 1 or val < 0 or test < 0 or seed < 0:
            raise DataError(
                f"train={train}, val={val}, test={test}, seed={seed}: train must be at least 1, the others at least 0."
            )
        self.digits, self.seed = digits, seed
        self.sizes = {"train": train, "val": val, "test": test}

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split in SPLITS if self.sizes[split])

    def _load(self, split: str) -> Examples:
        digits = self.digits.load(split)
        # NumPy guarantees the stream of RandomState for ever; data must not change with a library's version.
        random = np.random.RandomState([self.seed, SPLITS.index(split)])
        triples = random.randint(len(digits), size=(self.sizes[split], 3)).astype(np.int64)
        return StackedExamples(digits, torch.from_numpy(triples))
