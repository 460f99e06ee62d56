"""What the callbacks ask of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.health.evidence import Evidence
from ganvas.types import Batch


@runtime_checkable
class Watched(Protocol):
    """A Lightning module that counts the images it has seen and names its loss terms."""

    images_seen: int
    terms: dict[str, Tensor]
    skips_updates: bool

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

    def sample_part(self, n: int, seed: int, part: slice) -> Float[Tensor, m * shape]:
        """Some of the examples that :meth:`sample` gives."""
        ...

    def buffers(self) -> Iterator[Tensor]:
        """What the networks keep besides their weights."""
        ...

    def gradient_norms(self) -> dict[str, Tensor]:
        """Of the latest updates, by name."""
        ...

    def evidence(
        self, train: Batch, held_out: Batch | None, history: Mapping[str, Float[Tensor, " t"]]
    ) -> tuple[Evidence, ...]:
        """What health checks judge."""
        ...
