"""No regulariser: the generator is trained by its loss alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.objectives.regularisers.base import Regulariser


@final
@dataclass(frozen=True)
class Unregularised(Regulariser):
    """The regulariser of a plain generator, which adds nothing."""

    def prepare(self, generator: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, generator: nn.Module, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None, update: int
    ) -> None:
        """Add nothing to the loss."""
