r"""Encoder to a grid of vectors and decoder from it, for images whose sides are multiples of their strides.

In the encoder, one strided 4x4 convolution for each width in ``channels`` halves the image; a 3x3 convolution, residual
blocks

.. math:: y = x + C_1(a(C_3(a(x))))

with a 3x3 and a 1x1 convolution (:math:`a` is the ReLU), and a 1x1 convolution to the coordinates of a vector follow.
The decoder is the reverse. There is no normalisation.

Reference: van den Oord et al. 2017, section 4.1, https://arxiv.org/abs/1711.00937; the authors' program has 128
channels, half of them in the first stage, and 32 inside the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import Size, location_shape, refusal

NAME = "vq"


class Encoder(nn.Module):
    """Encoder of images into grids of vectors.

    Args:
        shape: channels, height and width of one image; sides are multiples of ``2 ** len(channels)`` pixels.
        latent_dim: coordinates of a vector, at least 1.
        channels: widths of the stride-two stages, finest grid first.
        blocks: number of residual blocks, at least 0.
        hidden: width inside the blocks.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points, or a side is no multiple of the strides.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        blocks: int,
        hidden: int,
        init: Initialiser,
    ) -> None:
        super().__init__()
        self.grid = _grid(shape, len(channels))
        self.shape, self.latent_dim = tuple(shape), latent_dim
        stack: list[nn.Module] = []
        for inputs, outputs in zip([shape[0], *channels], channels, strict=False):
            stack += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
        stack += [nn.Conv2d(channels[-1], channels[-1], 3, padding=1), *_blocks(channels[-1], blocks, hidden)]
        self.body = nn.Sequential(*stack)
        self.output = nn.Conv2d(channels[-1], latent_dim, 1)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d a b"]:
        """Compute the grid of each image."""
        return self.output(relu(self.body(x)))


class Decoder(nn.Module):
    """Decoder of grids of vectors into unbounded locations of the likelihood.

    Args:
        shape: channels, height and width of one image; sides are multiples of ``2 ** len(channels)`` pixels.
        latent_dim: coordinates of a vector, at least 1.
        channels: widths of the stride-two stages, coarsest grid first.
        blocks: number of residual blocks, at least 0.
        hidden: width inside the blocks.
        init: fills each weight in place; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: the data are points, or a side is no multiple of the strides.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: Sequence[int],
        blocks: int,
        hidden: int,
        init: Initialiser,
        likelihood: object,
    ) -> None:
        super().__init__()
        self.grid = _grid(shape, len(channels))
        self.shape, self.latent_dim = tuple(shape), latent_dim
        stack = [nn.Conv2d(latent_dim, channels[0], 3, padding=1), *_blocks(channels[0], blocks, hidden), nn.ReLU()]
        for inputs, outputs in zip(channels, channels[1:], strict=False):
            stack += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU()]
        self.body = nn.Sequential(*stack)
        outputs, _, _ = location_shape(self.shape, likelihood)
        self.output = nn.ConvTranspose2d(channels[-1], outputs, 4, 2, 1)
        initialise(self, init)

    def forward(self, z: Float[Tensor, "n d a b"]) -> Float[Tensor, "n k h w"]:
        """Compute locations from grids."""
        return self.output(self.body(z))


class _Block(nn.Module):
    """A residual block that keeps the size."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, hidden, 3, padding=1)
        self.narrow = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        return x + self.narrow(relu(self.wide(relu(x))))


def _blocks(channels: int, count: int, hidden: int) -> list[nn.Module]:
    return [_Block(channels, hidden) for _ in range(count)]


def _grid(shape: Sequence[int], stages: int) -> Size:
    """Compute the size of the grid; refuse a shape that is not halved so often without a rest."""
    stride = 2**stages
    if stages < 1:
        raise ValueError(f"network '{NAME}': argument `channels` is empty. Fix: give one width for each halving.")
    if len(shape) != 3 or min(shape) < 1 or shape[1] % stride or shape[2] % stride:
        serves = f"images (channels, height, width) whose sides are multiples of {stride}, with {stages} halvings"
        fix = "resize the data (data.size=32), give fewer `channels`, or take model=vae network=mlp"
        raise refusal(NAME, shape, serves, fix)
    return shape[1] // stride, shape[2] // stride
