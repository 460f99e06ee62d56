r"""BigGAN's generator: a piece of the latent goes to every block, and one embedding of the class to all of them.

The latent is cut into chunks :math:`z_0, z_1, \dots`. The first makes the coarsest grid. Block k normalises over the
batch with a scale and a shift that are linear in its chunk and the embedding :math:`e_y` of the class,

.. math:: h \mapsto \big(1 + W_k [e_y, z_k]\big)\, \frac{h - \mu}{\sqrt{\sigma^2 + \epsilon}} + V_k [e_y, z_k],

without the embedding in the unconditional form. Blocks, widths and attention are those of :mod:`ganvas.networks.sagan`;
so is the critic, to which :class:`~ganvas.networks.ProjectionCritic` adds the classes. All weights start orthogonal.

Reference: Brock et al. 2018, section 3 and appendix B, https://arxiv.org/abs/1809.11096, and the authors' BigGAN.py. A
bias before a batch normalisation has no effect and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.attention import SelfAttention
from ganvas.networks.init import Initialiser
from ganvas.networks.sagan import GENERATOR, convolution, start, widths_of
from ganvas.networks.shapes import image_shape

NAME: Final = "biggan"


class GivenNorm(nn.Module):
    """Batch normalisation whose scale and shift are linear in what is given.

    Args:
        channels: number of channels.
        given: dimension of what is given.
    """

    def __init__(self, channels: int, given: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale = nn.Linear(given, channels, bias=False)
        self.shift = nn.Linear(given, channels, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"], given: Float[Tensor, "n g"]) -> Float[Tensor, "n c h w"]:
        """Normalise over the batch, then scale and shift each example by what it is given."""
        scale, shift = (layer(given)[:, :, None, None] for layer in (self.scale, self.shift))
        return torch.addcmul(shift, self.norm(x), 1 + scale)


class Up(nn.Module):
    """A residual block that doubles height and width.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        given: dimension of what the normalisations are given.
    """

    def __init__(self, inputs: int, outputs: int, given: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = GivenNorm(inputs, given), GivenNorm(outputs, given)
        self.enlarge = nn.Upsample(scale_factor=2)
        self.convolution1 = convolution(inputs, outputs, bias=False)
        self.convolution2 = convolution(outputs, outputs)
        self.shortcut = convolution(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "n c h w"], given: Float[Tensor, "n g"]) -> Float[Tensor, "n k a b"]:
        """Double the grid."""
        h = self.convolution1(self.enlarge(self.norm1(x, given).relu()))
        h = self.convolution2(self.norm2(h, given).relu())
        return h + self.enlarge(self.shortcut(x))


class _Blocks(nn.Module):
    """The generator from a latent and an embedding, which has 0 dimensions in the unconditional form."""

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int, embedding: int) -> None:
        super().__init__()
        sides, widths = widths_of(NAME, shape, channels, GENERATOR)
        piece = latent_dim // len(sides)
        if piece < 1:
            raise ValueError(
                f"network '{NAME}': argument `latent_dim` is {latent_dim}; expected at least {len(sides)}, one "
                f"for each of {len(sides)} chunks. Fix: write prior.dim={20 * len(sides)}."
            )
        # The first chunk, which makes the coarsest grid, takes what does not divide evenly.
        self.chunks = [latent_dim - piece * (len(sides) - 1), *[piece] * (len(sides) - 1)]
        self.coarsest = (widths[0], sides[0], sides[0])
        self.project = nn.Linear(self.chunks[0], widths[0] * sides[0] ** 2)
        self.blocks = nn.ModuleList(Up(inputs, outputs, piece + embedding) for inputs, outputs in pairwise(widths))
        self.attention = SelfAttention(widths[-2])
        self.output = nn.Sequential(
            *(nn.BatchNorm2d(widths[-1]), nn.ReLU(), convolution(widths[-1], image_shape(NAME, shape)[0]), nn.Tanh())
        )

    def forward(self, z: Float[Tensor, "n d"], embedding: Float[Tensor, "n e"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents and embeddings."""
        first, *chunks = z.split(self.chunks, dim=1)
        *blocks, last = [
            (block, torch.cat([embedding, chunk], 1)) for block, chunk in zip(self.blocks, chunks, strict=True)
        ]
        x = self.project(first).unflatten(1, self.coarsest)
        for block, given in blocks:
            x = block(x, given)
        return self.output(last[0](self.attention(x), last[1]))


class Generator(nn.Module):
    """Generator of images in [-1, 1] from latents, for data without classes.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d, at least the number of chunks.
        channels: the number that all widths are multiples of; 96 in the paper, 64 in its smaller networks.
        spectral_norm: whether the weights are normalised spectrally, as in the paper.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a size that the network does not serve, or too few latent dimensions.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, channels: int, spectral_norm: bool, init: Initialiser
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.body = _Blocks(shape, latent_dim, channels, embedding=0)
        start(self, init, spectral_norm)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self.body(z, z[:, :0])


class ConditionalGenerator(nn.Module):
    """Generator of images in [-1, 1] from latents and classes.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d, at least the number of chunks; 120 in the paper at 128x128.
        classes: number of classes, at least 1.
        channels: the number that all widths are multiples of; 96 in the paper, 64 in its smaller networks.
        embedding: dimension of the embedding of a class, which all blocks share; 128 in the paper.
        spectral_norm: whether the weights are normalised spectrally, as in the paper; the embedding is not.
        init: fills each weight in place, the embedding too; biases start at 0.

    Raises:
        ValueError: a size that the network does not serve, or too few latent dimensions.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        classes: int,
        channels: int,
        embedding: int,
        spectral_norm: bool,
        init: Initialiser,
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.classes = classes
        self.embedding = nn.Embedding(classes, embedding)
        self.body = _Blocks(shape, latent_dim, channels, embedding)
        init(self.embedding.weight)
        start(self, init, spectral_norm)

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents and classes."""
        return self.body(z, self.embedding(y))
