"""No auxiliary term: the losses are those of the objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.auxiliary.base import Auxiliary, Scene


@final
@dataclass(frozen=True)
class NoAuxiliary(Auxiliary):
    """Adds nothing to either loss."""

    @property
    def recognised(self) -> None:
        """Return None: scores suffice."""

    def critic_term(self, scene: Scene) -> None:
        """Add nothing to the critic's loss."""

    def generator_term(self, scene: Scene) -> None:
        """Add nothing to the generator's loss."""
