r"""The convolutional benchmark networks of pythae for MNIST and CIFAR-10, made for images of other sizes too.

Encoder: four 4x4 convolutions of stride 2 to 128, 256, 512 and 1024 channels, each with batch normalisation and ReLU,
then one linear layer. Decoder: a linear layer to 1024 channels on a coarse grid, then transposed convolutions with
batch normalisation and ReLU to 512 and 256, and a last one to the image.

- MNIST: three 3x3 convolutions of stride 2 from the coarsest of three halvings that round up: 28 = 2 x 14, 14 = 2 x 7,
  7 = 2 x 4 - 1.
- CIFAR-10: two 4x4 convolutions of stride 2 from a quarter of each side, the second to one pixel more than the image,
  and one of stride 1 that takes the pixel away.

The decoder ends in a sigmoid there; here the likelihood reads its argument. A bias before a batch normalisation has no
effect and is left out.

Reference: Chadebec et al. 2022, https://arxiv.org/abs/2206.08309; the sizes are those of the authors' code,
clementchadebec/benchmark_VAE, pythae/models/nn/benchmarks/mnist/convnets.py and cifar/convnets.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import Size, halvings, image_shape, location_shape, refusal
from ganvas.types import Posterior, PosteriorFamily

NAME = "pythae"
STAGES = 3
"""Transposed convolutions of a decoder."""


def _normalised(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]


def _require_widths(channels: Sequence[int]) -> None:
    if len(channels) != STAGES:
        raise ValueError(f"channels: got {list(channels)}, expected {STAGES} widths; write [1024, 512, 256]")


class Encoder(nn.Module):
    """Encoder of images into posteriors over latents.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** len(channels)`` pixels.
        latent_dim: number of latent dimensions d, at least 1.
        channels: widths of the convolutions, finest grid first.
        init: fills each weight in place; biases start at 0.
        posterior: family of the posterior.

    Raises:
        ValueError: the data are points, or the image is too small.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        init: Initialiser,
        posterior: PosteriorFamily,
    ) -> None:
        super().__init__()
        height, width = halvings(NAME, shape, len(channels))[-1]
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        stack: list[nn.Module] = []
        for inputs, outputs in zip([self.shape[0], *channels], channels, strict=False):
            stack += _normalised(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), outputs)
        self.body = nn.Sequential(*stack, nn.Flatten())
        self.output = nn.Linear(channels[-1] * height * width, posterior.outputs(latent_dim))
        initialise(self, init)
        self.posterior = posterior  # after it, because a family initialises its own weights

    def forward(self, x: Float[Tensor, "n c h w"]) -> Posterior:
        """Compute the posterior of each image."""
        return self.posterior(self.output(self.body(x)))


class _Decoder(nn.Module):
    """Base of the two decoders: a linear layer to the coarse grid, then convolutions."""

    def __init__(
        self, shape: Sequence[int], latent_dim: int, coarsest: tuple[int, int, int], convolutions: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        grid = coarsest[0] * coarsest[1] * coarsest[2]
        self.body = nn.Sequential(nn.Linear(latent_dim, grid), nn.Unflatten(1, coarsest), *convolutions)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Compute locations from latents."""
        return self.body(z)


def _doubling(inputs: int, outputs: int, size: Size, bias: bool) -> nn.ConvTranspose2d:
    """Make a convolution from half of ``size``, rounded up, to ``size``."""
    return nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, (1 - size[0] % 2, 1 - size[1] % 2), bias=bias)


class MnistDecoder(_Decoder):
    """Decoder of latents into unbounded locations of the likelihood, as for MNIST; it serves images of any size.

    Args:
        shape: channels, height and width of one image.
        latent_dim: number of latent dimensions d, at least 1.
        channels: three widths, coarsest grid first.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: the data are points, or there are not three widths.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, channels: Sequence[int], init: Initialiser, likelihood: object
    ) -> None:
        outputs, height, width = location_shape(image_shape(NAME, shape), likelihood)
        _require_widths(channels)
        sizes: list[Size] = [(height, width)]
        for _ in range(STAGES):
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        stack: list[nn.Module] = []
        for inputs, width_, size in zip(channels, channels[1:], sizes[2:0:-1], strict=False):
            stack += _normalised(_doubling(inputs, width_, size, bias=False), width_)
        stack.append(_doubling(channels[-1], outputs, sizes[0], bias=True))
        super().__init__(shape, latent_dim, (channels[0], *sizes[-1]), stack)
        initialise(self, init)


class CifarDecoder(_Decoder):
    """Decoder of latents into unbounded locations of the likelihood, as for CIFAR-10.

    Args:
        shape: channels, height and width of one image; sides are multiples of 4.
        latent_dim: number of latent dimensions d, at least 1.
        channels: three widths, coarsest grid first.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: the data are points, a side is not a multiple of 4, or there are not three widths.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, channels: Sequence[int], init: Initialiser, likelihood: object
    ) -> None:
        outputs, height, width = location_shape(image_shape(NAME, shape), likelihood)
        _require_widths(channels)
        if height % 4 or width % 4:
            serves = "images whose sides are multiples of 4"
            raise refusal("pythae_cifar", shape, serves, "take network=pythae_mnist, which serves any size")
        first = nn.ConvTranspose2d(channels[0], channels[1], 4, 2, 1, bias=False)
        second = nn.ConvTranspose2d(channels[1], channels[2], 4, 2, 1, 1, bias=False)
        last = nn.ConvTranspose2d(channels[2], outputs, 4, 1, 2)
        stack = [*_normalised(first, channels[1]), *_normalised(second, channels[2]), last]
        super().__init__(shape, latent_dim, (channels[0], height // 4, width // 4), stack)
        initialise(self, init)
