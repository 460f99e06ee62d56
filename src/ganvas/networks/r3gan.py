r"""R3GAN: residual bottlenecks with grouped convolutions, and neither normalisation nor any trick of StyleGAN2.

A block adds to its input a branch of a 1x1 convolution to twice the channels, a 3x3 convolution in groups of 16
channels, and a 1x1 convolution back, with a bias and a leaky rectifier after the first two. The last convolution of a
branch starts at 0 and the first two at

.. math:: N\big(0,\ g^2 / \text{fan}_{in}\big), \qquad g = \sqrt{\tfrac{2}{1 + 0.2^2}}\; L^{-1/4},

with L blocks in the network, so that the variance neither grows nor falls with depth (fix-up). Between the grids is a
bilinear filter, with a 1x1 convolution where the width changes. The generator starts from a learned grid of 4 to 7
pixels, whose channels the latent scales; the critic ends with the same, transposed. Widths are ``channels`` on grids of
up to 32 pixels and halve with each doubling beyond.

With classes, an embedding :math:`E_y` of the class stands beside the latent, and the critic multiplies a linear map of
the features :math:`h(x)` of an image with another embedding of its class:

.. math:: G(z, y) = g([z, E_y]), \qquad D(x, y) = F_y \cdot W h(x).

The last layer of the generator is linear. In training an image may leave [-1, 1], so that its gradient never vanishes;
in evaluation it is clipped, as the authors' program does when it writes images.

Reference: Huang et al. 2024, section 3 and appendix, https://arxiv.org/abs/2501.05441, and the authors' Networks.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import sqrt
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic
from ganvas.networks.resampling import Enlarge, shrink
from ganvas.networks.shapes import doublings, image_shape
from ganvas.types import Judged

NAME: Final = "r3gan"
LEAK: Final = 0.2
FULL: Final = 32
"""Largest side of a grid that has the full width, pixels."""
GROUP: Final = 16
"""Channels of a group of the grouped convolution."""
EXPANSION: Final = 2


def _grids(shape: Sequence[int], channels: int) -> tuple[list[int], list[int]]:
    """Sides and widths of the grids, coarsest first; a width fills whole groups when it is expanded."""
    unit = GROUP // EXPANSION
    if channels < unit or channels % unit:
        raise ValueError(
            f"network '{NAME}': argument `channels` is {channels}; expected a multiple of {unit}, so that twice as "
            f"many are groups of {GROUP}. Fix: write {max(1, round(channels / unit)) * unit}."
        )
    sides = doublings(NAME, shape, least=2, most=8)
    return sides, [max(unit, min(channels, channels * FULL // side) // unit * unit) for side in sides]


def _convolution(inputs: int, outputs: int, kernel: int = 1, groups: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """Make a convolution without bias that keeps the size."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    nn.init.normal_(layer.weight, 0.0, gain / sqrt(layer.weight[0].numel()))
    return layer


class BiasedRectifier(nn.Module):
    """A bias for each channel and a leaky rectifier.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Apply both."""
        return nn.functional.leaky_relu(x + self.bias, LEAK)


class Bottleneck(nn.Module):
    """A residual block.

    Args:
        channels: number of channels.
        depth: L, number of blocks in the network.
    """

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        wide, gain = EXPANSION * channels, sqrt(2 / (1 + LEAK**2)) * depth**-0.25
        self.branch = nn.Sequential(
            *(_convolution(channels, wide, gain=gain), BiasedRectifier(wide)),
            *(_convolution(wide, wide, 3, groups=wide // GROUP, gain=gain), BiasedRectifier(wide)),
            _convolution(wide, channels, gain=0.0),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add the branch."""
        return x + self.branch(x)


def _resampled(inputs: int, outputs: int, filtered: nn.Module, last: bool) -> nn.Sequential:
    """Make a filter, before or after a 1x1 convolution where the width changes."""
    mix = [_convolution(inputs, outputs)] if inputs != outputs else []
    return nn.Sequential(*([*mix, filtered] if last else [filtered, *mix]))


class _Generator(nn.Module):
    """Base of :class:`Generator` and :class:`ConditionalGenerator`: the generator from latents and embeddings."""

    def __init__(self, shape: Sequence[int], latent_dim: int, embedding: int, channels: int, blocks: int) -> None:
        super().__init__()
        sides, widths = _grids(shape, channels)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.basis = nn.Parameter(torch.randn(widths[0], sides[0], sides[0]))
        self.scales = nn.Linear(latent_dim + embedding, widths[0], bias=False)
        nn.init.normal_(self.scales.weight, 0.0, (latent_dim + embedding) ** -0.5)
        stack = list(_blocks(widths[0], blocks, len(sides)))
        for inputs, outputs in pairwise(widths):
            stack += [_resampled(inputs, outputs, Enlarge(), last=True), *_blocks(outputs, blocks, len(sides))]
        self.body = nn.Sequential(*stack)
        self.output = _convolution(widths[-1], self.shape[0])

    def _generate(self, given: Tensor) -> Tensor:
        images = self.output(self.body(self.basis * self.scales(given)[:, :, None, None]))
        return images if self.training else images.clamp(-1, 1)


class Generator(_Generator):
    """Generator of images from latents.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 64 in the paper.
        channels: width of grids of up to 32 pixels, a multiple of 8; 768 in the paper.
        blocks: residual blocks on each grid; 2 in the paper.

    Raises:
        ValueError: a size that the network does not serve, or a width that is no multiple of 8.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int, blocks: int) -> None:
        super().__init__(shape, latent_dim, 0, channels, blocks)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self._generate(z)


class ConditionalGenerator(_Generator):
    """Generator of images from latents and classes.

    Args:
        shape: see :class:`Generator`, as ``latent_dim``, ``channels`` and ``blocks``.
        latent_dim: number of latent dimensions d.
        classes: number of classes, at least 1.
        embedding: dimension of the embedding of a class; as many as latents in the authors' configs.
        channels: width of grids of up to 32 pixels, a multiple of 8.
        blocks: residual blocks on each grid.

    Raises:
        ValueError: a size that the network does not serve, or a width that is no multiple of 8.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, classes: int, embedding: int, channels: int, blocks: int
    ) -> None:
        super().__init__(shape, latent_dim, embedding, channels, blocks)
        self.classes = classes
        self.embedding = _embedding(classes, embedding, gain=1.0)

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate an image of class ``y`` from each latent."""
        return self._generate(torch.cat([z, self.embedding(y)], dim=1))


class Critic(FeatureCritic):
    """Critic with one score for each image.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        channels: width of grids of up to 32 pixels, a multiple of 8; 768 in the paper.
        blocks: residual blocks on each grid; 2 in the paper.

    Raises:
        ValueError: a size that the network does not serve, or a width that is no multiple of 8.
    """

    def __init__(self, shape: Sequence[int], channels: int, blocks: int) -> None:
        super().__init__()
        sides, widths = (values[::-1] for values in _grids(shape, channels))
        self.shape = image_shape(NAME, shape)
        stack: list[nn.Module] = [_convolution(self.shape[0], widths[0])]
        for inputs, outputs in pairwise(widths):
            stack += [*_blocks(inputs, blocks, len(sides)), _resampled(inputs, outputs, shrink(), last=False)]
        basis = nn.Conv2d(widths[-1], widths[-1], sides[-1], groups=widths[-1], bias=False)
        nn.init.normal_(basis.weight, 0.0, 1 / sides[-1])
        self.body = nn.Sequential(*stack, *_blocks(widths[-1], blocks, len(sides)), basis, nn.Flatten())
        self.output = nn.Linear(widths[-1], 1, bias=False)
        nn.init.normal_(self.output.weight, 0.0, widths[-1] ** -0.5)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute one number for each channel of the coarsest grid."""
        return self.body(x)


class ConditionalCritic(nn.Module):
    """Critic of images and classes, as in the authors' program; :class:`~ganvas.networks.ProjectionCritic` is another.

    Args:
        shape: see :class:`Critic`, as ``channels`` and ``blocks``.
        classes: number of classes, at least 1.
        channels: width of grids of up to 32 pixels, a multiple of 8, and dimension of the embedding of a class.
        blocks: residual blocks on each grid.

    Raises:
        ValueError: a size that the network does not serve, or a width that is no multiple of 8.
    """

    def __init__(self, shape: Sequence[int], classes: int, channels: int, blocks: int) -> None:
        super().__init__()
        plain = Critic(shape, channels, blocks)
        self.shape, self.classes, self.body = plain.shape, classes, plain.body
        width = plain.output.in_features
        self.output = nn.Linear(width, width, bias=False)
        nn.init.normal_(self.output.weight, 0.0, width**-0.5)
        self.embedding = _embedding(classes, width, gain=width**-0.5)

    def forward(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Score images of classes."""
        return self.read(x, y).scores

    def read(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score images of classes, and return their features too."""
        assert y is not None
        features = self.body(x)
        return Judged((self.output(features) * self.embedding(y)).sum(dim=1), features)


def _embedding(classes: int, width: int, gain: float) -> nn.Embedding:
    """Make an embedding that starts as a linear layer of one-hot vectors does: at N(0, gain^2 / classes)."""
    table = nn.Embedding(classes, width)
    nn.init.normal_(table.weight, 0.0, gain / sqrt(classes))
    return table


def _blocks(channels: int, blocks: int, grids: int) -> Iterator[nn.Module]:
    return (Bottleneck(channels, blocks * grids) for _ in range(blocks))
