"""No augmentation: the critic sees examples as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.augment.base import Augmentation
from ganvas.types import Shape


@final
@dataclass(frozen=True)
class Unaugmented(Augmentation):
    """The augmentation of a training without one; it has no number that a schedule could move."""

    p: ClassVar[float] = 0.0  # type: ignore[misc]

    def __call__(self, x: Float[Tensor, " n *shape"], p: float | Float[Tensor, ""]) -> Float[Tensor, " n *shape"]:
        """Return the examples themselves."""
        return x

    def check(self, shape: Shape) -> None:
        """Accept any data."""
