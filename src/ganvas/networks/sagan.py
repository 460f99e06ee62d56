r"""SAGAN: residual networks with self-attention on the second-largest grid of generator and critic.

The generator doubles a grid of 4 to 7 pixels with residual blocks of batch normalisation and ReLU. The critic halves
the image with residual blocks, the first without an activation before its convolutions, and ends with the sum over its
last grid. Widths are the papers' multiples of one number, by the number of doublings:

========= ============== ==================== =====================
doublings images         generator            critic
========= ============== ==================== =====================
2, 3      16 to 56       4 on every grid      4 on every grid
4         64 to 112      16, 16, 8, 4, 2      1, 2, 4, 8, 16
5         128 to 224     16, 16, 8, 4, 2, 1   1, 2, 4, 8, 16, 16
========= ============== ==================== =====================

A critic of small images halves twice, and keeps the size in its last two blocks; a larger one halves until the coarsest
grid, and keeps the size in its last block. The paper normalises the weights of both networks spectrally: those of the
generator by ``spectral_norm``, those of the critic by ``constraint=spectral_norm``.

Reference: Zhang et al. 2018, https://arxiv.org/abs/1805.08318, whose program is for 128x128; other sizes as in Brock et
al. 2018, appendix B, https://arxiv.org/abs/1809.11096, whose critic is this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalised

from ganvas.networks.attention import SelfAttention
from ganvas.networks.conditional_norm import ConditionalSequential, batch_norm, sequential
from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import LINEAR_MAPS, Initialiser, initialise
from ganvas.networks.resnet import ConditionalResidual, Residual
from ganvas.networks.shapes import doublings, image_shape

NAME: Final = "sagan"
GENERATOR: Final = {2: (4, 4, 4), 3: (4, 4, 4, 4), 4: (16, 16, 8, 4, 2), 5: (16, 16, 8, 4, 2, 1)}
"""Widths of the generator's grids, coarsest first, in multiples of ``channels``, by the number of doublings."""
CRITIC: Final = {2: (4, 4, 4, 4), 3: (4, 4, 4, 4), 4: (1, 2, 4, 8, 16), 5: (1, 2, 4, 8, 16, 16)}
"""Widths of the critic's blocks, finest first."""


def widths_of(
    network: str, shape: Sequence[int], channels: int, multiples: dict[int, tuple[int, ...]]
) -> tuple[list[int], list[int]]:
    """Look up the sides of the grids, coarsest first, and the widths that a table gives to them.

    Args:
        network: option of the config group ``network``, for the error message.
        shape: channels, height and width of one image.
        channels: the number that the widths are multiples of.
        multiples: widths by the number of doublings.

    Raises:
        ValueError: a size that the network does not serve.
    """
    sides = doublings(network, shape, least=min(multiples), most=max(multiples))
    return sides, [channels * multiple for multiple in multiples[len(sides) - 1]]


def start(network: nn.Module, init: Initialiser, spectral_norm: bool) -> None:
    """Draw the weights, and normalise them spectrally if that is asked for.

    Args:
        network: network that is changed in place.
        init: fills each weight in place.
        spectral_norm: whether every linear and convolutional weight is divided by its largest singular value.
    """
    initialise(network, init)
    for layer in [module for module in network.modules() if isinstance(module, LINEAR_MAPS) and spectral_norm]:
        normalised(layer)


def convolution(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """Make a convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def up(inputs: int, outputs: int, classes: int | None) -> Residual | ConditionalResidual:
    """Make a generator block that doubles height and width; its normalisations are conditional if there are classes."""
    layers = (
        *(batch_norm(nn.BatchNorm2d, inputs, classes), nn.ReLU()),
        *(nn.Upsample(scale_factor=2), convolution(inputs, outputs, bias=False)),
        *(batch_norm(nn.BatchNorm2d, outputs, classes), nn.ReLU(), convolution(outputs, outputs)),
    )
    branch = sequential(layers, classes)
    shortcut = nn.Sequential(convolution(inputs, outputs, 1), nn.Upsample(scale_factor=2))
    if isinstance(branch, ConditionalSequential):
        return ConditionalResidual(branch, shortcut)
    return Residual(branch, shortcut)


def block(inputs: int, outputs: int, halve: bool, activate: bool) -> Residual:
    """Make a critic block.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        halve: whether it halves height and width.
        activate: whether the branch starts with an activation, as in all blocks but the first.
    """
    pool = [nn.AvgPool2d(2)] if halve else []
    before = [nn.ReLU()] if activate else []
    branch = nn.Sequential(*before, convolution(inputs, outputs), nn.ReLU(), convolution(outputs, outputs), *pool)
    mix = [convolution(inputs, outputs, 1)] if halve or inputs != outputs else []
    return Residual(branch, nn.Sequential(*pool, *mix))


class _Generator(nn.Module):
    """Base of :class:`Generator` and :class:`ConditionalGenerator`, which have the same layers."""

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: int,
        spectral_norm: bool,
        init: Initialiser,
        classes: int | None,
    ) -> None:
        super().__init__()
        sides, widths = widths_of(NAME, shape, channels, GENERATOR)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        *blocks, last = (up(inputs, outputs, classes) for inputs, outputs in pairwise(widths))
        layers = (
            *(nn.Linear(latent_dim, widths[0] * sides[0] ** 2), nn.Unflatten(1, (widths[0], sides[0], sides[0]))),
            *(*blocks, SelfAttention(widths[-2]), last, nn.BatchNorm2d(widths[-1]), nn.ReLU()),
        )
        self.body = sequential(layers, classes)
        self.output = convolution(widths[-1], self.shape[0])
        start(self, init, spectral_norm)


class Generator(_Generator):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 128 in the paper.
        channels: the number that all widths are multiples of; 64 in the paper.
        spectral_norm: whether the weights are normalised spectrally, as in the paper.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, channels: int, spectral_norm: bool, init: Initialiser
    ) -> None:
        super().__init__(shape, latent_dim, channels, spectral_norm, init, classes=None)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self.output(self.body(z)).tanh()


class ConditionalGenerator(_Generator):
    """Generator of images in [-1, 1] from latents and classes, by conditional batch normalisation, as in the paper.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 128 in the paper.
        channels: the number that all widths are multiples of; 64 in the paper.
        spectral_norm: whether the weights are normalised spectrally, as in the paper.
        classes: number of classes, at least 1.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(
        self, shape: Sequence[int], latent_dim: int, channels: int, spectral_norm: bool, classes: int, init: Initialiser
    ) -> None:
        super().__init__(shape, latent_dim, channels, spectral_norm, init, classes)
        self.classes = classes

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate an image of class ``y`` from each latent."""
        return self.output(self.body(z, y)).tanh()


class Critic(FeatureCritic):
    """Critic with one score for each image.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        channels: the number that all widths are multiples of; 64 in the paper.
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(self, shape: Sequence[int], channels: int, init: Initialiser) -> None:
        super().__init__()
        sides, widths = widths_of(NAME, shape, channels, CRITIC)
        self.shape = image_shape(NAME, shape)
        halving = 2 if len(sides) <= 4 else len(sides) - 1
        pairs = enumerate(pairwise([self.shape[0], *widths]))
        first, *blocks = (block(a, b, halve=i < halving, activate=i > 0) for i, (a, b) in pairs)
        self.body = nn.Sequential(first, SelfAttention(widths[0]), *blocks, nn.ReLU())
        self.output = nn.Linear(widths[-1], 1)
        initialise(self, init)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the sum over the last grid."""
        return self.body(x).sum(dim=(2, 3))
