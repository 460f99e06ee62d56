"""No constraint: the critic is trained by its loss alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.objectives.constraints.base import Constraint, Score


@final
@dataclass(frozen=True)
class Unconstrained(Constraint):
    """The constraint of a plain GAN: all hooks do nothing."""

    lipschitz: ClassVar[bool] = False

    def prepare(self, critic: nn.Module) -> None:
        """Leave the network as it is."""

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"], update: int = 0
    ) -> None:
        """Add nothing to the loss."""

    def project(self, critic: nn.Module) -> None:
        """Leave the weights as they are."""
