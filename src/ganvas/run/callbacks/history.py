"""What was logged of a run's terms, kept for findings on the run as a whole."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float64
from torch import Tensor

KEPT = 2000
"""Latest values of each term: ten runs' worth at the default ``log.every``, and small beside any checkpoint."""


@final
class History:
    """The latest values of each term, oldest first."""

    def __init__(self) -> None:
        self._values: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, values: Mapping[str, float]) -> None:
        """Take one reading.

        Args:
            values: by term.
        """
        for name, value in values.items():
            self._values[name].append(value)

    def series(self) -> dict[str, Float64[Tensor, " t"]]:
        """The values by term."""
        return {name: torch.tensor(list(values), dtype=torch.float64) for name, values in self._values.items()}

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return self.series()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint holds.

        Args:
            state: of an earlier part of the same run.
        """
        self._values.clear()
        for name, values in state.items():
            self._values[name].extend(values.tolist())
