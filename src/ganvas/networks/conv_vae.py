r"""Encoder and decoder of a convolutional variational autoencoder, for images of any size from 8x8 on.

In the encoder, one strided 4x4 convolution for each width in ``channels`` halves the image; a dense layer and a linear
layer give the Gaussian. The decoder goes through the same sizes in reverse. There is no normalisation, so that a
posterior depends on its example only.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.latents.posteriors import DiagonalNormal
from ganvas.networks.activations import activation as activation_named
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import doubling_paddings, halvings, image_shape, location_shape
from ganvas.types import Posterior, PosteriorFamily

NAME = "conv"


class Encoder(nn.Module):
    """Encoder of images into posteriors over latents.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** len(channels)`` pixels.
        latent_dim: number of latent dimensions d, at least 1.
        channels: widths of the stride-two stages, finest grid first.
        hidden: width of the dense layer.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place; biases start at 0.
        posterior: family of the posterior; absent in configs that were recorded before it existed.

    Raises:
        ValueError: the data are points, the image is too small for the stages, or the activation is unknown.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        hidden: int,
        activation: str,
        init: Initialiser,
        posterior: PosteriorFamily = DiagonalNormal(),  # noqa: B008  (a frozen value)
    ) -> None:
        super().__init__()
        height, width = halvings(NAME, shape, len(channels))[-1]
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        stack: list[nn.Module] = []
        for inputs, outputs in zip([self.shape[0], *channels], channels, strict=False):
            stack += [nn.Conv2d(inputs, outputs, 4, 2, 1), activation_named(activation)]
        stack += [nn.Flatten(), nn.Linear(channels[-1] * height * width, hidden), activation_named(activation)]
        self.body = nn.Sequential(*stack)
        self.output = nn.Linear(hidden, posterior.outputs(latent_dim))
        initialise(self, init)
        self.posterior = posterior  # after it, because a family initialises its own weights

    def forward(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """Compute the posterior of each image."""
        return self.posterior(self.output(self.body(x)))


class Decoder(nn.Module):
    """Decoder of latents into unbounded locations of the likelihood.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** len(channels)`` pixels.
        latent_dim: number of latent dimensions d, at least 1.
        channels: widths of the stride-two stages, coarsest grid first.
        hidden: width of the dense layer.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has; absent in configs that were
            recorded before it existed.

    Raises:
        ValueError: the data are points, the image is too small for the stages, or the activation is unknown.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        hidden: int,
        activation: str,
        init: Initialiser,
        likelihood: object = None,
    ) -> None:
        super().__init__()
        sizes = halvings(NAME, shape, len(channels))
        coarsest = (channels[0], *sizes[-1])
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        stack: list[nn.Module] = [nn.Linear(latent_dim, hidden), activation_named(activation)]
        stack += [nn.Linear(hidden, coarsest[0] * coarsest[1] * coarsest[2]), nn.Unflatten(1, coarsest)]
        *paddings, last_padding = doubling_paddings(sizes)
        for inputs, outputs, padding in zip(channels, channels[1:], paddings, strict=False):
            stack += [activation_named(activation), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, padding)]
        self.body = nn.Sequential(*stack, activation_named(activation))
        outputs, _, _ = location_shape(self.shape, likelihood)
        self.output = nn.ConvTranspose2d(channels[-1], outputs, 4, 2, 1, last_padding)
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Compute locations from latents."""
        return self.output(self.body(z))
