"""Protocols of distributions over latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ganvas.types.modules import SeesModules


@runtime_checkable
class DrawsLatents(Protocol):
    """A source of latents of any kind, whose density need not be known."""

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Shaped[Tensor, "n *latent"]:
        """Draw ``n`` latents; without a ``generator`` (of ``device``) the global one is used."""
        ...


@runtime_checkable
class LatentDistribution(DrawsLatents, Protocol):
    """A distribution over latents of any kind: vectors (:class:`Prior`), or codes on a grid."""

    def log_prob(self, z: Shaped[Tensor, "n *latent"]) -> Float[Tensor, " n"]:
        """Compute the log density of latents, of codes their log probability, nats."""
        ...


@runtime_checkable
class Prior(LatentDistribution, Protocol):
    """A distribution over latents that are vectors."""

    dim: int
    space: str
    """Where the density is positive: "reals" everywhere, "cube", "sphere", or a word of your own."""

    def kl(self, posterior: Posterior) -> Float[Tensor, "n g"] | None:
        """Compute the divergence of a posterior from this prior, nats, by coordinate or in one column for all.

        None without a closed form.
        """
        ...

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density of latents, nats."""
        ...

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents, ``float32``; without a ``generator`` (of ``device``) the global one is used."""
        ...

    reach: float
    """Half width of the interval around 0 that holds nearly all of a coordinate's distribution."""

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate from ``a`` (t = 0) to ``b`` (t = 1) by latents that the prior could have drawn."""
        ...


@runtime_checkable
class ReadsEncoder(Protocol):
    """A learned distribution over latents that is made from posteriors of the encoder."""

    dim: int
    space: str
    """See :attr:`Prior.space`."""

    def given(self, encode: Callable[[Float[Tensor, "n ..."]], Posterior]) -> Prior:
        """Return the prior that an encoder makes."""
        ...


@runtime_checkable
class Scaled(Prior, Protocol):
    """A prior that states the variance of its coordinates."""

    @property
    def variance(self) -> float:
        """Variance of each coordinate."""
        ...


@runtime_checkable
class HasCodes(Prior, Protocol):
    """A prior with one-hot codes, whose coordinates move together."""

    @property
    def one_hot(self) -> tuple[slice, ...]:
        """Coordinates of each code."""
        ...


@runtime_checkable
class Truncates(Protocol):
    """A prior with tails, which can be cut off."""

    def truncated(self, bound: float) -> Prior:
        """Return the prior with every coordinate within ``[-bound, bound]``."""
        ...


@runtime_checkable
class Posterior(Protocol):
    """A distribution over the latents of n examples, from ``torch.distributions`` or of your own."""

    @property
    def mean(self) -> Float[Tensor, "n d"]:
        """Mean of each example's latents."""
        ...

    def rsample(self, sample_shape: Any) -> Float[Tensor, "*shape n d"]:
        """Draw latents through which gradients flow."""
        ...

    def log_prob(self, value: Float[Tensor, "*shape n d"]) -> Float[Tensor, "*shape n"]:
        """Compute the log density of draws, nats."""
        ...


@runtime_checkable
class Detaches(Protocol):
    """A posterior of your own that can hold its parameters constant; those of ``torch.distributions`` need not."""

    def detached(self) -> Posterior:
        """Return the same distribution, through whose density no gradient reaches the parameters."""
        ...


@runtime_checkable
class PosteriorFamily(Protocol):
    """A family of posteriors, whose parameters are the last layer of an encoder; a module if it has weights."""

    @property
    def space(self) -> str:
        """Where its draws lie, in the words of :attr:`Prior.space`."""
        ...

    def outputs(self, dim: int) -> int:
        """Return the number of parameters of an example's posterior over ``dim`` latents."""
        ...

    def __call__(self, parameters: Float[Tensor, "n p"]) -> Posterior:
        """Make the posterior of each example from unbounded parameters."""
        ...


@runtime_checkable
class Tempered(Protocol):
    """A family of posteriors whose draws in training have a temperature, which a schedule may move."""

    temperature: float
    """Above 0; the lower, the closer draws are to those of evaluation."""


@runtime_checkable
class NamesPosterior(Protocol, metaclass=SeesModules):
    """An encoder whose posteriors are of a family of choice; those of another encoder lie anywhere."""

    posterior: PosteriorFamily
