r"""The networks of "Are GANs Created Equal?", which that paper took from InfoGAN: two dense and two strided layers.

Generator: dense 1024, dense 128 x h/4 x w/4, transposed 4x4/2 to 64, transposed 4x4/2 to the image; all except the last
have batch normalisation and leaky ReLU. Critic: 4x4/2 to 64, 4x4/2 to 128, dense 1024, dense 1. Encoder and decoder of
the paper's variational autoencoder have the same bodies. Images are in [0, 1] in the paper; here

.. math:: x = 2 \, \mathrm{sigmoid}(a) - 1 = \tanh(a / 2).

Reference: Lucic et al. 2018, appendix A, https://arxiv.org/abs/1711.10337, and its published code.
A bias before a batch normalisation has no effect and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.latents.posteriors import DiagonalNormal
from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import image_shape, location_shape, refusal
from ganvas.types import Posterior, PosteriorFamily

NAME = "infogan"
LEAK = 0.2
FINE, COARSE, DENSE = 64, 128, 1024


def _quartered(shape: Sequence[int]) -> tuple[int, int, int]:
    """Channels of an image, and its height and width after two halvings; both sides must be multiples of 4."""
    channels, height, width = image_shape(NAME, shape)
    if height % 4 or width % 4:
        raise refusal(NAME, shape, "images whose sides are multiples of 4", "take network=dcgan, which serves any size")
    return channels, height // 4, width // 4


def _from_latent(shape: Sequence[int], latent_dim: int, likelihood: object = None) -> nn.Sequential:
    """Body from latents to the logits of pixels, or to the location of a likelihood."""
    channels, height, width = _quartered(shape)
    channels = location_shape((channels,), likelihood)[0]
    return nn.Sequential(
        *(nn.Linear(latent_dim, DENSE, bias=False), nn.BatchNorm1d(DENSE), nn.LeakyReLU(LEAK)),
        nn.Linear(DENSE, COARSE * height * width, bias=False),
        *(nn.BatchNorm1d(COARSE * height * width), nn.LeakyReLU(LEAK), nn.Unflatten(1, (COARSE, height, width))),
        nn.ConvTranspose2d(COARSE, FINE, 4, 2, 1, bias=False),
        *(nn.BatchNorm2d(FINE), nn.LeakyReLU(LEAK), nn.ConvTranspose2d(FINE, channels, 4, 2, 1)),
    )


def _from_image(shape: Sequence[int], outputs: int, batch_norm: bool) -> nn.Sequential:
    """Body from images to ``outputs`` numbers."""
    channels, height, width = _quartered(shape)
    bias = not batch_norm
    return nn.Sequential(
        *(nn.Conv2d(channels, FINE, 4, 2, 1), nn.LeakyReLU(LEAK)),
        *(nn.Conv2d(FINE, COARSE, 4, 2, 1, bias=bias), nn.BatchNorm2d(COARSE) if batch_norm else nn.Identity()),
        *(nn.LeakyReLU(LEAK), nn.Flatten(), nn.Linear(COARSE * height * width, DENSE, bias=bias)),
        *(nn.BatchNorm1d(DENSE) if batch_norm else nn.Identity(), nn.LeakyReLU(LEAK), nn.Linear(DENSE, outputs)),
    )


class Generator(nn.Module):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: channels, height and width of one image; sides are multiples of 4.
        latent_dim: number of latent dimensions d, at least 1.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points, or a side is not a multiple of 4.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, init: Initialiser) -> None:
        super().__init__()
        self.body = _from_latent(shape, latent_dim)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return (0.5 * self.body(z)).tanh()


class Critic(FeatureCritic):
    """Critic with one score for each image.

    Args:
        shape: channels, height and width of one image; sides are multiples of 4.
        batch_norm: whether the second convolution and the dense layer are normalised.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points, or a side is not a multiple of 4.
    """

    def __init__(self, shape: Sequence[int], batch_norm: bool, init: Initialiser) -> None:
        super().__init__()
        self.body = _from_image(shape, 1, batch_norm)
        self.shape = image_shape(NAME, shape)
        initialise(self, init)

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]
        """Last layer."""
        return cast(nn.Linear, self.body[-1])

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the activations of the hidden dense layer."""
        return self.body[:-1](x)


class Encoder(nn.Module):
    """Encoder of images into posteriors over latents, with the critic's body.

    Args:
        shape: channels, height and width of one image; sides are multiples of 4.
        latent_dim: number of latent dimensions d, at least 1.
        batch_norm: whether the second convolution and the dense layer are normalised.
        init: fills each weight in place; biases start at 0.
        posterior: family of the posterior; absent in configs that were recorded before it existed.

    Raises:
        ValueError: the data are points, or a side is not a multiple of 4.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        batch_norm: bool,
        init: Initialiser,
        posterior: PosteriorFamily = DiagonalNormal(),  # noqa: B008  (a frozen value)
    ) -> None:
        super().__init__()
        self.body = _from_image(shape, posterior.outputs(latent_dim), batch_norm)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        initialise(self, init)
        self.posterior = posterior  # after it, because a family initialises its own weights

    def forward(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """Compute the posterior of each image."""
        return self.posterior(self.body(x))


class Decoder(nn.Module):
    """Decoder of latents into unbounded locations of the likelihood, with the generator's body.

    Args:
        shape: channels, height and width of one image; sides are multiples of 4.
        latent_dim: number of latent dimensions d, at least 1.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has; absent in configs that were
            recorded before it existed.

    Raises:
        ValueError: the data are points, or a side is not a multiple of 4.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, init: Initialiser, likelihood: object = None) -> None:
        super().__init__()
        self.body = _from_latent(shape, latent_dim, likelihood)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Compute locations from latents."""
        return self.body(z)
