"""Finite samples of a two-dimensional density as a data set; the points depend on the data set, not on the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch

from ganvas.data.source import SPLITS, DataError, Examples, Source, TensorExamples, require_shape
from ganvas.data.sources.densities import Density


@final
class DensitySource(Source):
    """Points drawn once from a density; their classes are its modes, named by number, if it has modes.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(2,)``.
        density: distribution of the points; its ``modes``, ``sigma`` and ``log_prob`` are the truth for metrics.
        train: number of training points, at least 1.
        val: number of validation points; 0 for no such split.
        test: number of test points; 0 for no such split.
        seed: seed of the draw, at least 0. Each split has its own stream, so that its points do not depend on the sizes
            of the other splits.

    Raises:
        DataError: an argument out of range.
    """

    def __init__(
        self, name: str, shape: Sequence[int], density: Density, train: int, val: int, test: int, seed: int
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (2,))
        if train < 1 or val < 0 or test < 0 or seed < 0:
            raise DataError(
                f"train={train}, val={val}, test={test}, seed={seed}: train must be at least 1, the others at least 0."
            )
        self.density, self.seed = density, seed
        self.classes = None if density.modes is None else tuple(map(str, range(len(density.modes))))
        self.sizes = {"train": train, "val": val, "test": test}

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split in SPLITS if self.sizes[split])

    def _load(self, split: str) -> Examples:
        # NumPy guarantees the stream of RandomState for ever; data must not change with a library's version.
        random = np.random.RandomState([self.seed, SPLITS.index(split)])
        points, modes = self.density.sample(self.sizes[split], random)
        labels = None if modes is None else torch.from_numpy(modes)
        return TensorExamples(torch.from_numpy(points).float(), labels)
