"""Protocols of models: what a callback, a command or a metric may ask of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from ganvas.types.batches import Batch
from ganvas.types.latents import DrawsLatents, Prior


@runtime_checkable
class Watched(Protocol):
    """A model in training, as callbacks see it."""

    images_seen: int
    terms: dict[str, Tensor]
    skips_updates: bool

    @property
    def headline(self) -> tuple[str, ...]:
        """The two or three terms to watch."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        ...

    def sample(self, n: int, seed: int) -> Float[Tensor, " n *shape"]:
        """Draw examples in [-1, 1]; they depend on the weights and the seed alone."""
        ...

    def sample_part(self, n: int, seed: int, part: slice) -> Float[Tensor, " m *shape"]:
        """Draw some of the examples that :meth:`sample` draws."""
        ...

    def buffers(self) -> Iterator[Tensor]:
        """Yield the state of the networks besides their weights."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights by name."""
        ...

    def gradient_norms(self) -> dict[str, Tensor]:
        """Compute the gradient norms of the latest updates, by name."""
        ...


@runtime_checkable
class DrawsClasses(Protocol):
    """A model that decodes latents, of a class of choice if it is conditional."""

    @property
    def classes(self) -> int | None:
        """Number of classes; None if the model is not conditional."""
        ...

    @property
    def prior(self) -> DrawsLatents:
        """The distribution that latents are drawn from."""
        ...

    def decoded(
        self, z: Shaped[Tensor, "n *latent"], y: Int64[Tensor, " n"] | None = None
    ) -> Float[Tensor, " n *shape"]:
        """Decode latents to examples in [-1, 1]."""
        ...


@runtime_checkable
class Reconstructs(Protocol):
    """A model that encodes examples and decodes them again."""

    def reconstruct(self, batch: Batch) -> Float[Tensor, " n *shape"]:
        """Reconstruct examples, in [-1, 1]."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """A model with a posterior over the latents of an example."""

    @property
    def prior(self) -> Prior:
        """The distribution that latents are drawn from."""
        ...

    def posterior_moments(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        """Yield means and standard deviations of the posterior, batch by batch."""
        ...


@runtime_checkable
class DrawsCodes(Protocol):
    """A model whose encoder places examples in the space that its decoder reads."""

    def codes(self, batches: Iterable[Batch], seed: int) -> Float[Tensor, "n d"]:
        """Draw a code of each example."""
        ...


@runtime_checkable
class BoundsEvidence(Encodes, Protocol):
    """A model with a lower bound on the evidence of an example.

    A model whose objective decides it sets the methods to None if there is no bound.
    """

    objective: Any
    """The bound; ``samples`` is its number of draws for each image."""

    @property
    def evidence_space(self) -> str:
        """Space of the probabilities of examples: bounds in different spaces are not comparable."""
        ...

    def evaluate(self, batch: Batch) -> Any:
        """Compute the terms of the bound, with ``elbo``, ``reconstruction`` and ``kl``: nats, means over the batch."""
        ...

    def log_weights(self, batch: Batch, k: int) -> Float[Tensor, "k n"]:
        """Compute log importance weights of ``k`` new draws for each example, nats."""
        ...


@runtime_checkable
class Classifies(Protocol):
    """A model that names the class of an example."""

    def class_logits(self, batch: Batch) -> Float[Tensor, "n c"]:
        """Compute log probabilities of the classes, whatever classes the batch has."""
        ...


@runtime_checkable
class CodesExamples(Protocol):
    """A model that makes codes of examples, with a prior over the codes."""

    def code_nats(self, batch: Batch) -> Float[Tensor, " n"]:
        """Compute minus the log probability of each example's codes, nats."""
        ...

    def coding(self) -> str:
        """Hash what makes codes of examples: the probabilities of other codes are not comparable."""
        ...


@runtime_checkable
class HasFirstStage(Protocol):
    """A model with parts that another run has trained, and that stay as they are."""

    first_stage: tuple[str, ...]
    """Names of these parts."""
