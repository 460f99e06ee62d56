"""No adversary: the autoencoder descends its own loss, and no other player has a turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganvas.health.evidence import Evidence
from ganvas.models.adversaries.base import Adversary, Autoencoder, Compared, Differences, Joined, Made
from ganvas.types import Shape


@final
@dataclass(frozen=True)
class Alone(Adversary):
    """The autoencoder plays alone."""

    players: ClassVar[tuple[str, ...]] = ()
    headline: ClassVar[tuple[str, ...]] = ()
    keeps_bound: ClassVar[bool] = True

    @property
    def parts(self) -> dict[str, nn.Module]:
        """No network."""
        return {}

    def check(self, latent_dim: int | None, shape: Shape, decoder: Any) -> None:
        """Accept every autoencoder."""

    def make_optimizers(
        self, make: Callable[..., torch.optim.Optimizer], differences: Differences, encoder: nn.Module
    ) -> list[torch.optim.Optimizer]:
        """Make no optimiser."""
        return []

    def join(self, model: Autoencoder, made: Made) -> Joined:
        """Return the loss as it is."""
        return Joined(made.loss, made.terms, None)

    def turns(self, model: Autoencoder, compared: Sequence[Compared]) -> dict[str, Tensor]:
        """Update nothing."""
        return {}

    def evidence(self, history: Mapping[str, Float[Tensor, " t"]]) -> tuple[Evidence, ...]:
        """Return nothing."""
        return ()
