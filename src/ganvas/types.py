r"""Types that all rooms share: batches, conversions of images, and the protocols of a model's parts.

Images are ``uint8`` in [0, 255] at rest and ``float`` in [-1, 1] inside training:

.. math:: x = u / 127.5 - 1, \qquad u = \mathrm{round}(127.5 (x + 1)).

:func:`to_float` and :func:`to_uint8` are the only places where one becomes the other. Two-dimensional points (the
synthetic densities) are floats throughout and have ``shape == (2,)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.distributions import Independent

Shape = tuple[int, ...]
"""Shape of one example without the batch: ``(channels, height, width)`` of an image, ``(2,)`` of a point."""


@final
@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples of a split, as they pass from the data to the model.

    Args:
        x: images in [-1, 1], or points, shape ``(n, *shape)``.
        y: class of each example, shape ``(n,)``; None if the data have no labels.
        index: position of each example in its split, shape ``(n,)``.
    """

    x: Float[Tensor, " n *shape"]
    y: Int64[Tensor, " n"] | None
    index: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(self.x[part], None if self.y is None else self.y[part], self.index[part])

    def split(self, size: int) -> list[Batch]:
        """Cut the batch into batches of ``size`` examples; the last one may be smaller."""
        return [self[start : start + size] for start in range(0, len(self), size)]

    def to(self, device: torch.device | str, **kwargs: Any) -> Batch:
        """Copy the batch to a device; Lightning calls this hook before each training step.

        Args:
            device: the target.
            **kwargs: passed on to :meth:`torch.Tensor.to`.
        """
        y = None if self.y is None else self.y.to(device, **kwargs)
        return Batch(self.x.to(device, **kwargs), y, self.index.to(device, **kwargs))


def to_float(images: UInt8[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Convert images at rest to images in training.

    Args:
        images: ``uint8`` in [0, 255].

    Returns:
        ``float32`` in [-1, 1].
    """
    return images.to(torch.float32).div_(127.5).sub_(1.0)


def to_uint8(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    """Convert images in training to images at rest: round to nearest, clip values outside [-1, 1].

    The range is never taken from the images themselves: rescaling by their own minimum and maximum would hide a
    generator whose output range is wrong.

    Args:
        images: nominally in [-1, 1], any floating type.

    Returns:
        ``uint8`` in [0, 255].
    """
    return images.detach().float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def widen(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert half precision to ``float32``; return ``float32`` and ``float64`` as they are, without a copy.

    Losses are computed in at least ``float32``, whatever the precision of the networks: under ``bf16-mixed`` a score
    has eight significant bits, too few for a mean over the batch or for a difference of two means.

    Args:
        x: any floating type.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


@runtime_checkable
class Prior(Protocol):
    """A distribution over latents."""

    dim: int
    everywhere: bool
    """Whether the density is positive everywhere, so that every normal is at a finite divergence from it."""

    def kl(self, posterior: Posterior) -> Float[Tensor, "n d"] | None:
        """Compute the divergence of a posterior from this prior, nats; None without a closed form."""
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
class Generator(Protocol):
    """A network from latents to examples in [-1, 1]; points are unbounded."""

    latent_dim: int
    shape: Shape

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        """Generate an example from each latent."""
        ...


@runtime_checkable
class Critic(Protocol):
    """A network from examples to one unbounded score each; the score of a GAN's discriminator is a logit."""

    shape: Shape

    def __call__(self, x: Float[Tensor, " n *shape"]) -> Float[Tensor, " n"]:
        """Score each example."""
        ...


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """What a critic says of some examples.

    Args:
        scores: one score for each example, unbounded.
        features: activations that the scores are made from; None if the critic does not show them.
        recognised: further outputs made from them, such as logits of classes; None without any.
    """

    scores: Float[Tensor, " n"]
    features: Float[Tensor, "n d"] | None = None
    recognised: Float[Tensor, "n k"] | None = None


@runtime_checkable
class Reads(Protocol):
    """A critic that shows what its scores are made from."""

    def read(self, x: Float[Tensor, " n *shape"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score examples, and return features and further outputs too; ``y`` is read by conditional critics only."""
        ...


@runtime_checkable
class Recognises(Reads, Protocol):
    """A critic with further outputs beside its score, such as logits of classes."""

    outputs: int
    """Number of further outputs."""


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

    def gradient_norms(self) -> dict[str, Tensor]:
        """Compute the gradient norms of the latest updates, by name."""
        ...


@runtime_checkable
class DrawsClasses(Protocol):
    """A model that decodes latents, of a class of choice if it is conditional."""

    classes: int | None
    """Number of classes; None if the model is not conditional."""
    prior: Prior

    def decoded(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, " n *shape"]:
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

    def posterior_moments(
        self, batches: Iterable[Batch]
    ) -> Iterator[tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]]:
        """Yield means and standard deviations of the posterior, batch by batch."""
        ...


@runtime_checkable
class BoundsEvidence(Encodes, Protocol):
    """A model with a lower bound on the evidence of an example."""

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
class StartsAtMarginals(Protocol):
    """A network whose output is a logit, so that its bias can start at the logit of the mean training image."""

    def start_at(self, mean: Float[Tensor, " *shape"]) -> None:
        """Set the output bias; ``mean`` is the mean image, pixels in [0, 1]."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """A network that takes the class of each example as its second argument."""

    classes: int
    """Number of classes; they are numbered from 0."""

    def __call__(self, x: Tensor, y: Int64[Tensor, " n"] | None) -> Any:
        """Return the same as a plain network of this kind."""
        ...


@runtime_checkable
class Styled(Protocol):
    """A generator in two parts: from latents to styles, and from styles to examples."""

    def style(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, "n ..."]:
        """Map latents (and classes, if it is conditional) to styles, one for each example or one for each layer."""
        ...

    def synthesise(self, w: Float[Tensor, "n ..."]) -> Float[Tensor, " n *shape"]:
        """Generate an example from each style."""
        ...


@runtime_checkable
class Encoder(Protocol):
    r"""A network from examples to :math:`q(z \mid x)`, an ``Independent`` normal with event shape ``(latent_dim,)``."""

    shape: Shape
    latent_dim: int

    def __call__(self, x: Float[Tensor, " n *shape"]) -> Independent:
        """Encode each example."""
        ...


@runtime_checkable
class Decoder(Protocol):
    r"""A network from latents to the location of :math:`p(x \mid z)`: unbounded reals, a logit or a mean."""

    latent_dim: int
    shape: Shape

    def __call__(self, z: Float[Tensor, "n d"]) -> Float[Tensor, " n *shape"]:
        """Decode each latent."""
        ...
