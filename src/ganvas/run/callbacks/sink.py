"""Where callbacks send what they see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from torch import Tensor


@runtime_checkable
class Sink(Protocol):
    """Takes numbers and pictures without making the caller wait; :class:`~ganvas.tracking.run.TrackedRun` is one."""

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """Take numbers by key, at ``step`` images seen."""
        ...

    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """Take one ``uint8`` picture of the series ``key``, at ``step`` images seen."""
        ...
