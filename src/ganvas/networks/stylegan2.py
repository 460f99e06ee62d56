r"""StyleGAN2: a mapping from latents to styles, and a synthesis whose convolutions the styles modulate.

The mapping :math:`w = f(z / \sqrt{\overline{z^2}})` is a stack of dense layers. The synthesis starts from one learned
grid of 4 to 7 pixels and doubles it until the image's size, with two modulated convolutions on each grid. In the skip
form, the paper's, every grid adds its own contribution to the image,

.. math:: x_k = \mathrm{up}(x_{k-1}) + \mathrm{toRGB}_k(h_k, w);

in the residual form each grid adds a shortcut, and the last alone makes the image. The critic halves the image with
residual blocks, appends the minibatch standard deviation, and ends with two dense layers. Widths are ``channels`` on
grids of up to 64 pixels and halve with each doubling beyond.

The last layer of the generator is linear. In training an image may leave [-1, 1], so that its gradient never vanishes;
in evaluation it is clipped, as the authors' program does when it writes images.

Reference: Karras et al. 2020, config F, https://arxiv.org/abs/1912.04958; the conditional form is that of Karras et al.
2020 (ADA), https://arxiv.org/abs/2006.06676, in the authors' code.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks import equalised
from ganvas.networks.critic import FeatureCritic
from ganvas.networks.mapping import Mapping
from ganvas.networks.minibatch_std import MinibatchStd
from ganvas.networks.modulation import Grid
from ganvas.networks.resampling import Filter, shrink
from ganvas.networks.shapes import doublings, image_shape
from ganvas.types import Judged

NAME = "stylegan2"
FULL = 64
"""Largest side of a grid that has the full width, pixels."""
MEMORY = 0.995
"""Share of the mean style that remains after an update."""


def _sides(shape: Sequence[int]) -> list[int]:
    return doublings(NAME, shape, least=2, most=8)


def _widths(sides: Sequence[int], channels: int) -> list[int]:
    return [max(1, min(channels, channels * FULL // side)) for side in sides]


class Styles(nn.Module, ABC):
    """Abstract: a generator from styles to images, with the mean of its styles.

    The arguments are those of :class:`ConditionalGenerator`; an unconditional generator has 0 ``classes``.
    """

    w_mean: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        classes: int,
        channels: int,
        style_dim: int,
        mapping_layers: int,
        residual: bool,
        mixing: float,
    ) -> None:
        super().__init__()
        sides = _sides(shape)
        self.shape = image_shape(NAME, shape)
        self.latent_dim = latent_dim
        self.mixing = mixing
        widths = _widths(sides, channels)
        self.mapping = Mapping(latent_dim, classes, style_dim, mapping_layers)
        self.register_buffer("w_mean", torch.zeros(style_dim))
        self.start = nn.Parameter(torch.randn(1, widths[0], sides[0], sides[0]))
        ends = [0 if residual else self.shape[0] for _ in sides[1:]] + [self.shape[0]]
        grids = zip([0, *widths], widths, sides, ends, strict=False)
        self.grids = nn.ModuleList(Grid(a, b, style_dim, side, residual, end) for a, b, side, end in grids)

    def style(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None = None) -> Float[Tensor, "n w"]:
        """Map latents to styles; in training their mean is followed, for truncation.

        Args:
            z: latents.
            y: class of each, read by a conditional generator only.
        """
        w = self.mapping(z, y)
        if self.training:
            self.w_mean.lerp_(w.detach().mean(dim=0).to(self.w_mean.dtype), 1 - MEMORY)
        return w

    def mean_style(self) -> Float[Tensor, " w"]:
        """Return the mean of the styles, which training follows."""
        return self.w_mean

    def synthesise(self, w: Float[Tensor, "n ..."]) -> Float[Tensor, "n c h w"]:
        """Generate images from styles.

        Args:
            w: one style for each image, shape ``(n, style_dim)``, or one for each of its layers, shape
                ``(n, layers, style_dim)``.
        """
        ws = list(w.expand(self.styles, *w.shape) if w.ndim == 2 else w.unbind(dim=1))
        x, image = self.start.expand(w.shape[0], -1, -1, -1), None  # len(w) would fix the number in an exported graph
        for k, grid in enumerate(self.grids):
            # The contribution to the image has the first style of the next grid, as in the authors' program.
            x, image = grid(x, image, ws[max(0, 2 * k - 1) : 2 * k + 2])
        assert image is not None
        return image if self.training else image.clamp(-1, 1)

    @property
    def styles(self) -> int:
        """Number of styles that an image may have: one for each layer, and one for the last contribution to it."""
        return 2 * len(self.grids)

    def _generate(self, z: Tensor, y: Tensor | None) -> Tensor:
        w = self.style(z, y)
        if not self.training or self.mixing == 0 or torch.rand(()) >= self.mixing:
            return self.synthesise(w)
        # From a random layer on, each image has the style of another latent of the batch, with its own class.
        first = torch.arange(self.styles, device=w.device) < torch.randint(1, self.styles, (), device=w.device)
        other = self.mapping(z.roll(1, dims=0), y)
        return self.synthesise(torch.where(first[None, :, None], w[:, None], other[:, None]))


class Generator(Styles):
    """Generator of images from latents; it maps and synthesises by ``style`` and ``synthesise``.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        latent_dim: number of latent dimensions d; 512 in the paper.
        channels: width of grids of up to 64 pixels; 512 in the paper.
        style_dim: dimension of a style w; 512 in the paper.
        mapping_layers: number of dense layers; 8 in the paper.
        residual: whether the synthesis is residual instead of skip, the paper's.
        mixing: probability that a batch in training has two styles an image; 0.9 in the paper.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        channels: int,
        style_dim: int,
        mapping_layers: int,
        residual: bool,
        mixing: float,
    ) -> None:
        super().__init__(shape, latent_dim, 0, channels, style_dim, mapping_layers, residual, mixing)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents."""
        return self._generate(z, None)


class ConditionalGenerator(Styles):
    """Generator of images from latents and classes; the embedded class enters the mapping beside the latent.

    Args:
        shape: see :class:`Generator`, as all arguments but ``classes``.
        latent_dim: number of latent dimensions d.
        classes: number of classes, at least 1.
        channels: width of grids of up to 64 pixels.
        style_dim: dimension of a style w, and of the embedding of a class.
        mapping_layers: number of dense layers.
        residual: whether the synthesis is residual instead of skip.
        mixing: probability that a batch in training has two styles an image.

    Raises:
        ValueError: a size that the network does not serve.
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        classes: int,
        channels: int,
        style_dim: int,
        mapping_layers: int,
        residual: bool,
        mixing: float,
    ) -> None:
        super().__init__(shape, latent_dim, classes, channels, style_dim, mapping_layers, residual, mixing)
        self.classes = classes

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
        """Generate images from latents and classes."""
        return self._generate(z, y)


def _critic_layer(inputs: int, outputs: int, kernel: int, halve: bool = False) -> nn.Sequential:
    """Make a convolution and its activation; one that halves the size filters first."""
    if not halve:
        layers: list[nn.Module] = [equalised.convolution(inputs, outputs, kernel, padding=kernel // 2)]
    else:
        layers = [Filter(stride=1, padding=2), equalised.convolution(inputs, outputs, kernel, stride=2)]
    return nn.Sequential(*layers, equalised.Rectified())


class Halving(nn.Module):
    """A block of the critic, which halves height and width.

    Args:
        inputs: input channels.
        outputs: output channels.
        residual: whether a shortcut is added.
    """

    def __init__(self, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        self.branch = nn.Sequential(_critic_layer(inputs, inputs, 3), _critic_layer(inputs, outputs, 3, halve=True))
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = nn.Sequential(shrink(), equalised.convolution(inputs, outputs, 1, bias=False))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k a b"]:
        """Halve a grid."""
        h = self.branch(x)
        return h if self.shortcut is None else (self.shortcut(x) + h) * sqrt(0.5)


class Critic(FeatureCritic):
    """Critic with one score for each image.

    Args:
        shape: channels, height and width of one image; square, the side 4, 5, 6 or 7 times a power of two.
        channels: width of grids of up to 64 pixels; 512 in the paper.
        residual: whether the blocks are residual, the paper's.
        group: number of images whose standard deviation each of them sees; 4 in the paper, 1 for none.

    Raises:
        ValueError: a size that the network does not serve, or a group below 1.
    """

    def __init__(self, shape: Sequence[int], channels: int, residual: bool, group: int) -> None:
        super().__init__()
        sides = _sides(shape)[::-1]
        widths = _widths(sides, channels)
        self.shape = image_shape(NAME, shape)
        blocks = [Halving(inputs, outputs, residual) for inputs, outputs in pairwise(widths)]
        self.body = nn.Sequential(
            *(_critic_layer(self.shape[0], widths[0], 1), *blocks, MinibatchStd(group)),
            *(_critic_layer(widths[-1] + 1, widths[-1], 3), nn.Flatten()),
            *(equalised.linear(widths[-1] * sides[-1] ** 2, widths[-1]), equalised.Rectified()),
        )
        self.output = equalised.linear(widths[-1], 1)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the activations of the last hidden layer."""
        return self.body(x)


class ConditionalCritic(nn.Module):
    r"""Critic of images and classes, :math:`D(x, y) = W h(x) \cdot f(E_y) / \sqrt d`, with a mapping f of the classes.

    Args:
        shape: channels, height and width of one image; see :class:`Critic`.
        classes: number of classes, at least 1.
        channels: width of grids of up to 64 pixels, and d.
        mapping_layers: number of dense layers of the mapping of classes.
        residual: whether the blocks are residual.
        group: number of images whose standard deviation each of them sees; 1 for none.

    Raises:
        ValueError: a size that the network does not serve, or a group below 1.
    """

    def __init__(
        self, shape: Sequence[int], classes: int, channels: int, mapping_layers: int, residual: bool, group: int
    ) -> None:
        super().__init__()
        plain = Critic(shape, channels, residual, group)
        self.shape, self.classes, self.body = plain.shape, classes, plain.body
        self.output = equalised.linear(plain.output.in_features, channels)
        self.mapping = Mapping(0, classes, channels, mapping_layers)

    def forward(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Score images of classes."""
        return self.read(x, y).scores

    def read(self, x: Float[Tensor, "n c h w"], y: Int64[Tensor, " n"] | None = None) -> Judged:
        """Score images of classes, and return their features too."""
        features = self.body(x)
        wanted = self.mapping(x.new_empty(len(x), 0), y)
        return Judged((self.output(features) * wanted).sum(dim=1) / sqrt(wanted.shape[1]), features)
