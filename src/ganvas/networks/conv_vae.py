r"""Encoder and decoder of a convolutional variational autoencoder, for images of any size from 8x8 on.

Strided 4x4 convolutions halve the image once a width in ``channels``, a dense layer follows, and a linear one gives
the Gaussian; the decoder climbs the same sizes back. Nothing is normalised: a posterior depends on its example only.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent

from ganvas.latents.posteriors import diagonal_normal
from ganvas.networks.activations import activation as activation_named
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import doubling_paddings, halvings, image_shape

NAME = "conv"


class Encoder(nn.Module):
    """Images to a Gaussian over latents.

    Args:
        shape: channels, height and width of one image, at least ``2 ** len(channels)`` pixels a side.
        latent_dim: dimension of the latent.
        channels: widths, finest grid first; one stride-two stage each.
        hidden: width of the dense layer.
        activation: name in ``torch.nn``.
        init: of the weights.

    Raises:
        ValueError: points, an image too small for the stages, or an unknown activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        hidden: int,
        activation: str,
        init: Initialiser,
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
        self.output = nn.Linear(hidden, 2 * latent_dim)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Independent:
        """The posterior of each image."""
        return diagonal_normal(self.output(self.body(x)))


class Decoder(nn.Module):
    """Latents to the unbounded location of the likelihood.

    Args:
        shape: channels, height and width of one image, at least ``2 ** len(channels)`` pixels a side.
        latent_dim: dimension of the latent.
        channels: widths, coarsest grid first; one stride-two stage each.
        hidden: width of the dense layer.
        activation: name in ``torch.nn``.
        init: of the weights.

    Raises:
        ValueError: points, an image too small for the stages, or an unknown activation.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        hidden: int,
        activation: str,
        init: Initialiser,
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
        self.output = nn.ConvTranspose2d(channels[-1], self.shape[0], 4, 2, 1, last_padding)
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Locations from latents."""
        return self.output(self.body(z))
