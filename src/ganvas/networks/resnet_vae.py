r"""Encoder and decoder of a residual variational autoencoder, for images of any size from 8x8 on.

Each stage of the encoder halves the image by a strided 4x4 convolution, then goes through blocks

.. math:: y = x + C_2(a(C_1(a(x))))

of two 3x3 convolutions. The decoder goes through the same sizes in reverse. There is no normalisation, so that a
posterior depends on its example only. The second convolution of each block starts at 0, so that training starts from
the network without blocks, however many there are.

References: He et al. 2016, figure 4e, https://arxiv.org/abs/1603.05027 (the block); Zhang et al. 2019, section 3,
https://arxiv.org/abs/1901.09321 (its start at 0).
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.activations import activation as activation_named
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.resnet import Residual
from ganvas.networks.shapes import doubling_paddings, halvings, image_shape, location_shape
from ganvas.types import Posterior, PosteriorFamily

NAME = "resnet_vae"


def _block(width: int, activation: str) -> Residual:
    first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
    branch = nn.Sequential(activation_named(activation), first, activation_named(activation), second)
    return Residual(branch, nn.Identity())


def _initialise(network: nn.Module, init: Initialiser) -> None:
    """Draw the weights, and set those that end a branch to 0."""
    initialise(network, init)
    for module in network.modules():
        if isinstance(module, Residual):
            nn.init.zeros_(module.branch[-1].weight)  # type: ignore[arg-type]


class Encoder(nn.Module):
    """Encoder of images into posteriors over latents.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** len(channels)`` pixels.
        latent_dim: number of latent dimensions d, at least 1.
        channels: widths of the stages, finest grid first.
        blocks: number of residual blocks in a stage, at least 0.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place, but for the last of a block; biases start at 0.
        posterior: family of the posterior.

    Raises:
        ValueError: the data are points, the image is too small for the stages, or the activation is unknown.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        blocks: int,
        activation: str,
        init: Initialiser,
        posterior: PosteriorFamily,
    ) -> None:
        super().__init__()
        height, width = halvings(NAME, shape, len(channels))[-1]
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        stack: list[nn.Module] = []
        for inputs, outputs in zip([self.shape[0], *channels], channels, strict=False):
            stack += [nn.Conv2d(inputs, outputs, 4, 2, 1), *(_block(outputs, activation) for _ in range(blocks))]
        self.body = nn.Sequential(*stack, activation_named(activation), nn.Flatten())
        self.output = nn.Linear(channels[-1] * height * width, posterior.outputs(latent_dim))
        _initialise(self, init)
        self.posterior = posterior  # after it, because a family initialises its own weights

    def forward(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """Compute the posterior of each image."""
        return self.posterior(self.output(self.body(x)))


class Decoder(nn.Module):
    """Decoder of latents into unbounded locations of the likelihood.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** len(channels)`` pixels.
        latent_dim: number of latent dimensions d, at least 1.
        channels: widths of the stages, coarsest grid first.
        blocks: number of residual blocks in a stage, at least 0.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place, but for the last of a block; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: the data are points, the image is too small for the stages, or the activation is unknown.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        blocks: int,
        activation: str,
        init: Initialiser,
        likelihood: object,
    ) -> None:
        super().__init__()
        sizes = halvings(NAME, shape, len(channels))
        coarsest = (channels[0], *sizes[-1])
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        stack: list[nn.Module] = [nn.Linear(latent_dim, coarsest[0] * coarsest[1] * coarsest[2])]
        stack += [nn.Unflatten(1, coarsest)]
        widths = [*channels, location_shape(self.shape, likelihood)[0]]
        for inputs, outputs, padding in zip(channels, widths[1:], doubling_paddings(sizes), strict=True):
            stack += [*(_block(inputs, activation) for _ in range(blocks)), activation_named(activation)]
            stack += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, padding)]
        self.body = nn.Sequential(*stack)
        _initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Compute locations from latents."""
        return self.body(z)
