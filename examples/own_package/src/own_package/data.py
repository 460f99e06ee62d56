"""Bright squares on black, one an image; the quadrant that a square lies in is its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch

from ganvas.data import SPLITS, Examples, Source, TensorExamples

PLACES = 22
"""Number of rows, and of columns, at which a square of 6x6 pixels can start in an image of 28x28."""
SIZES = (300, 84, 100)
"""Number of images of each split; together they are the 22 x 22 places, so that no two splits share an image."""


@final
class Blobs(Source):
    """Images of 28x28 with one square of 6x6 pixels.

    Args:
        name: what runs and scores call it.
        shape: ``(1, 28, 28)``.
        seed: of the order in which the places are dealt to the splits.
    """

    classes = ("upper left", "upper right", "lower left", "lower right")

    def __init__(self, name: str, shape: Sequence[int], seed: int) -> None:
        super().__init__(name, shape)
        self.seed = seed

    @property
    def splits(self) -> tuple[str, ...]:
        """Return all three splits."""
        return SPLITS

    def _load(self, split: str) -> Examples:
        order = torch.randperm(PLACES**2, generator=torch.Generator().manual_seed(self.seed))
        place = order.split(SIZES)[SPLITS.index(split)]
        rows, columns = place // PLACES, place % PLACES
        images = torch.zeros(len(place), 1, 28, 28, dtype=torch.uint8)
        for image, row, column in zip(images, rows.tolist(), columns.tolist(), strict=True):
            image[:, row : row + 6, column : column + 6] = 255
        return TensorExamples(images, 2 * (rows >= 11).long() + (columns >= 11).long())
