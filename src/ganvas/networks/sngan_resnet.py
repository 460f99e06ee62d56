r"""The residual networks of SNGAN: those of WGAN-GP with a critic that sums over its last grid.

.. math:: D(x) = w \cdot \sum_{i, j} a\big(h_{i j}(x)\big) + b

With spectral normalisation a mean over 8x8 places would make the scores 64 times smaller. The paper's widths for 32x32
are 256 in the generator and 128 in the critic. The critic halves the image until its grid has 7 to 13 pixels.

Reference: Miyato et al. 2018, appendix B.4, Table 4, https://arxiv.org/abs/1802.05957, and the authors' resnet_32.py
and snresnet_32.py, whose last layer has no bias. Blocks and initial weights are those of :mod:`ganvas.networks.resnet`;
the generator's coarsest grid may also have 5, 6 or 7 pixels, for images of 28x28. With classes, Miyato & Koyama 2018,
https://arxiv.org/abs/1802.05637, and the same program: the normalisations of the blocks are conditional, the last one
is not, and :class:`~ganvas.networks.ProjectionCritic` adds the classes to the critic.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks.conditional_norm import sequential
from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import glorot_uniform_, initialise
from ganvas.networks.resnet import down, first, plain, up
from ganvas.networks.shapes import doublings, image_shape

NAME = "sngan_resnet"
LARGEST_LAST = 13
"""Largest side of the critic's last grid, pixels."""


class _Generator(nn.Module):
    """Base of :class:`Generator` and :class:`ConditionalGenerator`, which have the same layers."""

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int, classes: int | None) -> None:
        super().__init__()
        start, *others = doublings(NAME, shape, least=1, most=8)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.project = nn.Sequential(
            nn.Linear(latent_dim, channels * start * start), nn.Unflatten(1, (channels, start, start))
        )
        self.body = sequential((*(up(channels, classes) for _ in others), nn.BatchNorm2d(channels), nn.ReLU()), classes)
        self.output = nn.Conv2d(channels, self.shape[0], 3, padding=1)
        for part in (self.project, self.output):
            initialise(part, lambda weight: glorot_uniform_(weight, 1.0))


class Generator(_Generator):
    """Generator of images in [-1, 1] from latents.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 128 in the paper.
        channels: width of every block; 256 in the paper.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int) -> None:
        super().__init__(shape, latent_dim, channels, classes=None)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self.output(self.body(self.project(z))).tanh()


class ConditionalGenerator(_Generator):
    """Generator of images in [-1, 1] from latents and classes, by conditional batch normalisation in every block.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 128 in the paper.
        channels: width of every block; 256 in the paper.
        classes: number of classes, at least 1.

    Raises:
        ValueError: a size that the network does not serve, or no class.
    """

    def __init__(self, shape: Sequence[int], latent_dim: int, channels: int, classes: int) -> None:
        super().__init__(shape, latent_dim, channels, classes)
        self.classes = classes

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate an image of class ``y`` from each latent."""
        return self.output(self.body(self.project(z), y)).tanh()


class Critic(FeatureCritic):
    """Critic with one score for each image; the constraint ``spectral_norm`` makes it that of the paper.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        channels: width of every block; 128 in the paper.

    Raises:
        ValueError: a size that the network does not serve, or below 16 pixels.
    """

    def __init__(self, shape: Sequence[int], channels: int) -> None:
        super().__init__()
        halvings = sum(side > LARGEST_LAST for side in doublings(NAME, shape, least=2, most=8))
        self.shape = image_shape(NAME, shape)
        self.body = nn.Sequential(
            first(self.shape[0], channels),
            *(down(channels) for _ in range(halvings - 1)),
            *(plain(channels), plain(channels), nn.ReLU()),
        )
        self.output = nn.Linear(channels, 1)
        initialise(self.output, lambda weight: glorot_uniform_(weight, 1.0))

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the sum over the last grid."""
        return self.body(x).sum(dim=(2, 3))
