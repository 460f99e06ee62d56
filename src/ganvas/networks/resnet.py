r"""The residual networks of WGAN-GP for 32x32 images, made of pre-activation blocks that change the resolution.

A block adds a branch with two 3x3 convolutions to a shortcut,

.. math:: y = S(x) + C_2(a(N(C_1(a(N(x)))))),

where :math:`a` is the ReLU and :math:`N` is batch normalisation in the generator and the identity in the critic. An up
block enlarges by nearest neighbour before :math:`C_1`; a down block pools by the mean after :math:`C_2`. The shortcut
resamples in the same way and has a 1x1 convolution; without resampling it is the identity. The generator has one up
block for each doubling from 4x4 on. The critic has down blocks to 8x8 (the first without an activation before its first
convolution), two plain blocks, a ReLU, the mean over the grid, and one linear unit.

Convolutions of a branch are initialised as Glorot uniform with gain :math:`\sqrt 2` (the code's "He"); shortcuts, the
output convolution and linear layers have gain 1.

Reference: Gulrajani et al. 2017, appendix F, https://arxiv.org/abs/1704.00028, and the authors' gan_cifar_resnet.py.
A bias before a batch normalisation has no effect and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, sqrt

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import glorot_uniform_, initialise
from ganvas.networks.shapes import image_shape, refusal

NAME = "resnet"
START = 4


def _convolution(inputs: int, outputs: int, kernel: int, gain: float, bias: bool = True) -> nn.Conv2d:
    """Make a convolution that keeps the size, Glorot uniform with ``gain``."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    initialise(layer, lambda weight: glorot_uniform_(weight, gain))
    return layer


def _linear(inputs: int, outputs: int) -> nn.Linear:
    """Make a linear layer, Glorot uniform with gain 1."""
    layer = nn.Linear(inputs, outputs)
    initialise(layer, lambda weight: glorot_uniform_(weight, 1.0))
    return layer


def _doublings(shape: Sequence[int], least: int) -> int:
    """Number of doublings from 4x4 to the image, at least ``least``."""
    _, height, width = image_shape(NAME, shape)
    doublings = round(log2(height / START))
    if height != width or height != START * 2**doublings or doublings < least:
        serves = f"square images of {START * 2**least}, {START * 2 ** (least + 1)}, ... pixels (4 x a power of two)"
        raise refusal(NAME, shape, serves, "resize the data (data.size=32), or take network=dcgan")
    return doublings


class Residual(nn.Module):
    """A residual block, the sum of a branch and a shortcut.

    Args:
        branch: layers of the branch.
        shortcut: map from the input to the shape of the branch's output.
    """

    def __init__(self, branch: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k a b"]:
        """Add branch and shortcut."""
        return self.shortcut(x) + self.branch(x)


def up(channels: int) -> Residual:
    """Make a generator block that doubles height and width."""
    branch = nn.Sequential(
        *(nn.BatchNorm2d(channels), nn.ReLU()),
        *(nn.Upsample(scale_factor=2), _convolution(channels, channels, 3, sqrt(2), bias=False)),
        *(nn.BatchNorm2d(channels), nn.ReLU(), _convolution(channels, channels, 3, sqrt(2))),
    )
    # A 1x1 convolution and a nearest-neighbour enlargement commute; convolving first takes a quarter of the time.
    return Residual(branch, nn.Sequential(_convolution(channels, channels, 1, 1.0), nn.Upsample(scale_factor=2)))


def first(inputs: int, channels: int) -> Residual:
    """Make the critic's first block, which halves height and width and has no activation before its convolution."""
    branch = nn.Sequential(
        *(_convolution(inputs, channels, 3, sqrt(2)), nn.ReLU()),
        *(_convolution(channels, channels, 3, sqrt(2)), nn.AvgPool2d(2)),
    )
    return Residual(branch, nn.Sequential(nn.AvgPool2d(2), _convolution(inputs, channels, 1, 1.0)))


def plain(channels: int) -> Residual:
    """Make a critic block that keeps the size."""
    branch = nn.Sequential(
        *(nn.ReLU(), _convolution(channels, channels, 3, sqrt(2))),
        *(nn.ReLU(), _convolution(channels, channels, 3, sqrt(2))),
    )
    return Residual(branch, nn.Identity())


def down(channels: int) -> Residual:
    """Make a critic block that halves height and width."""
    branch = plain(channels).branch.append(nn.AvgPool2d(2))
    # Mean pooling and a 1x1 convolution commute; pooling first takes a quarter of the time.
    return Residual(branch, nn.Sequential(nn.AvgPool2d(2), _convolution(channels, channels, 1, 1.0)))


class Generator(nn.Module):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: channels, height and width of one image; square, with sides of 8, 16, 32, ... pixels.
        latent_dim: number of latent dimensions d; 128 in the paper.
        channels: width of every block; 128 in the paper.

    Raises:
        ValueError: a size that is not 4 times a power of two.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int) -> None:
        super().__init__()
        doublings = _doublings(shape, least=1)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.body = nn.Sequential(
            *(_linear(latent_dim, channels * START * START), nn.Unflatten(1, (channels, START, START))),
            *(up(channels) for _ in range(doublings)),
            *(nn.BatchNorm2d(channels), nn.ReLU()),
        )
        self.output = _convolution(channels, self.shape[0], 3, 1.0)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self.output(self.body(z)).tanh()


class Critic(FeatureCritic):
    """Critic with one score for each image; it has no normalisation, so that a score depends on its image only.

    Args:
        shape: channels, height and width of one image; square, with sides of 16, 32, 64, ... pixels.
        channels: width of every block; 128 in the paper.

    Raises:
        ValueError: a size that is not 4 times a power of two, or below 16.
    """

    def __init__(self, shape: Sequence[int], channels: int) -> None:
        super().__init__()
        halvings = _doublings(shape, least=2) - 1
        self.shape = image_shape(NAME, shape)
        self.body = nn.Sequential(
            first(self.shape[0], channels),
            *(down(channels) for _ in range(halvings - 1)),
            *(plain(channels), plain(channels), nn.ReLU()),
        )
        self.output = _linear(channels, 1)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the mean over the last grid."""
        return self.body(x).mean(dim=(2, 3))
