r"""Fully connected networks: flatten, then affine maps with a nonlinearity between them.

.. math:: h_{l+1} = a(W_l h_l + b_l), \qquad \text{output} = W_L h_L + b_L.

They serve images of any size and points. The generator ends in a tanh for images, and in a linear layer for points.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.latents.posteriors import DiagonalNormal
from ganvas.networks.activations import activation as activation_named
from ganvas.networks.conditional_norm import batch_norm as normalisation
from ganvas.networks.conditional_norm import sequential
from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import Initialiser, initialise, start_at_
from ganvas.networks.shapes import any_shape, is_points, location_shape
from ganvas.types import Posterior, PosteriorFamily

NAME = "mlp"


def layers(widths: Sequence[int], activation: str, batch_norm: bool, classes: int | None = None) -> nn.Sequential:
    """Stack affine maps between consecutive ``widths``, each followed by its normalisation, if any, and activation.

    Args:
        widths: number of inputs, then the width of each layer.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        batch_norm: whether to normalise before the activation; the affine map then has no bias, which would be
            without effect.
        classes: number of classes on which the normalisations are conditional; None makes plain ones.

    Raises:
        ValueError: a width below one, or an unknown activation.
    """
    if min(widths) < 1:
        raise ValueError(f"arguments `hidden` and `latent_dim`: widths are {list(widths)}; expected all >= 1")
    stack: list[nn.Module] = []
    for inputs, outputs in zip(widths, widths[1:], strict=False):
        stack.append(nn.Linear(inputs, outputs, bias=not batch_norm))
        if batch_norm:
            stack.append(normalisation(nn.BatchNorm1d, outputs, classes))
        stack.append(activation_named(activation))
    return sequential(stack, classes)


class _Generator(nn.Module):
    """Base of :class:`Generator` and :class:`ConditionalGenerator`, which have the same layers."""

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        batch_norm: bool,
        init: Initialiser,
        classes: int | None,
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [latent_dim, *hidden]
        self.body = layers(widths, activation, batch_norm, classes)
        self.output = nn.Linear(widths[-1], prod(self.shape))
        self.squash = nn.Identity() if is_points(self.shape) else nn.Tanh()
        initialise(self, init)

    def _example(self, h: Tensor) -> Tensor:
        return self.squash(self.output(h)).unflatten(1, self.shape)


class Generator(_Generator):
    """Generator of images in [-1, 1], or of unbounded points, from latents.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        latent_dim: number of latent dimensions d, at least 1.
        hidden: widths of the hidden layers, latent side first.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        batch_norm: whether the hidden layers are normalised.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a shape of neither points nor images, a width below 1, or an unknown activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        batch_norm: bool,
        init: Initialiser,
    ) -> None:
        super().__init__(shape, latent_dim, hidden, activation, batch_norm, init, classes=None)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Generate examples from latents."""
        return self._example(self.body(z))


class ConditionalGenerator(_Generator):
    """Generator from latents and classes, by conditional batch normalisation of every hidden layer.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        latent_dim: number of latent dimensions d, at least 1.
        hidden: widths of the hidden layers, latent side first.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        classes: number of classes, at least 1.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a shape of neither points nor images, a width or a number of classes below 1, or an unknown
            activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        classes: int,
        init: Initialiser,
    ) -> None:
        super().__init__(shape, latent_dim, hidden, activation, True, init, classes)
        self.classes = classes

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n ..."]:
        """Generate an example of class ``y`` from each latent."""
        return self._example(self.body(z, y))


class Critic(FeatureCritic):
    """Critic with one score for each example.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        hidden: widths of the hidden layers, example side first.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a shape of neither points nor images, a width below 1, or an unknown activation.
    """

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], activation: str, init: Initialiser) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        widths = [prod(self.shape), *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.output = nn.Linear(widths[-1], 1)
        initialise(self, init)

    def features(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n d"]:
        """Compute the last hidden layer."""
        return self.body(x.flatten(1))


class Encoder(nn.Module):
    """Encoder of examples into posteriors over latents.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        latent_dim: number of latent dimensions d, at least 1.
        hidden: widths of the hidden layers, example side first.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place; biases start at 0.
        posterior: family of the posterior; absent in configs that were recorded before it existed.

    Raises:
        ValueError: a shape of neither points nor images, a width below 1, or an unknown activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        init: Initialiser,
        posterior: PosteriorFamily = DiagonalNormal(),  # noqa: B008  (a frozen value)
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [prod(self.shape), *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.output = nn.Linear(widths[-1], posterior.outputs(latent_dim))
        initialise(self, init)
        self.posterior = posterior  # after it, because a family initialises its own weights

    def forward(self, x: Float[Tensor, "n ..."]) -> Posterior:
        """Compute the posterior of each example."""
        return self.posterior(self.output(self.body(x.flatten(1))))


class Decoder(nn.Module):
    """Decoder of latents into unbounded locations of the likelihood.

    Args:
        shape: shape of one example: points ``(d,)`` or images ``(c, h, w)``.
        latent_dim: number of latent dimensions d, at least 1.
        hidden: widths of the hidden layers, latent side first.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has; absent in configs that were
            recorded before it existed.

    Raises:
        ValueError: a shape of neither points nor images, a width below 1, or an unknown activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        hidden: Sequence[int],
        activation: str,
        init: Initialiser,
        likelihood: object = None,
    ) -> None:
        super().__init__()
        self.shape = any_shape(NAME, shape)
        self.latent_dim = latent_dim
        widths = [latent_dim, *hidden]
        self.body = layers(widths, activation, batch_norm=False)
        self.location = location_shape(self.shape, likelihood)
        self.output = nn.Linear(widths[-1], prod(self.location))
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """Compute locations from latents."""
        return self.output(self.body(z)).unflatten(1, self.location)

    def start_at(self, mean: Float[Tensor, "*shape"]) -> None:
        """Set the output bias to the logit of the mean training image, whose pixels are in [0, 1]."""
        start_at_(self.output, mean, clip=1e-3)
