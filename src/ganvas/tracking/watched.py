"""What the callbacks ask of a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Watched(Protocol):
    """A Lightning module that counts the images it has seen and names its loss terms.

    Models that can also have ``reconstruct(x)``: examples in [-1, 1] to their reconstructions.
    """

    images_seen: int
    terms: dict[str, Tensor]

    @property
    def headline(self) -> tuple[str, ...]:
        """The two or three terms to watch."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    def sample(self, n: int, seed: int) -> Float[Tensor, n * shape]:
        """Examples in [-1, 1], a function of the weights and the seed alone."""
        ...
