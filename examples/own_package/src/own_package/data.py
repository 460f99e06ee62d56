"""Bright squares on black, one an image; the quadrant that a square lies in is its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch

from ganvas.data import Examples, Source, TensorExamples


@final
class Blobs(Source):
    """Images of 28x28 with one square of 6x6 pixels.

    Args:
        name: what runs and scores call it.
        shape: ``(1, 28, 28)``.
        n: images of each split, at least 1.
    """

    classes = ("upper left", "upper right", "lower left", "lower right")

    def __init__(self, name: str, shape: Sequence[int], n: int) -> None:
        super().__init__(name, shape)
        self.n = n

    @property
    def splits(self) -> tuple[str, ...]:
        """All three."""
        return ("train", "val", "test")

    def _load(self, split: str) -> Examples:
        generator = torch.Generator().manual_seed(("train", "val", "test").index(split))
        corners = torch.randint(0, 22, (self.n, 2), generator=generator)
        images = torch.zeros(self.n, 1, 28, 28, dtype=torch.uint8)
        for image, (row, column) in zip(images, corners.tolist(), strict=True):
            image[:, row : row + 6, column : column + 6] = 255
        lower, right = (corners >= 11).long().unbind(1)
        return TensorExamples(images, 2 * lower + right)
