r"""A very deep VAE: residual blocks from the top down, each with a group of latents, for images of any size.

The encoder goes from the image to ever coarser grids, whose activations :math:`a` it keeps: the image is halved
(rounded up) until, at last, the mean over the whole grid is left. The state :math:`h` of the decoder goes back through
these grids. At each, it passes blocks, each with a group of latents at every place of the grid:

.. math::
    (\mu_p, \log \sigma_p, r) = \text{prior}(h), \qquad (\mu_q, \log \sigma_q) = \text{posterior}(h, a), \qquad
    h \leftarrow R\big(h + r + W z\big), \qquad z \sim q.

All branches are bottlenecks of 1x1, 3x3, 3x3 and 1x1 convolutions, the activation before each; on grids of 1 or 2
places a side, all are 1x1. There is no normalisation. Of N blocks, the last convolution of each residual branch, and
:math:`W`, start at :math:`1 / \sqrt N` of their weights, and the last convolution of each prior at 0, so that every
prior starts at N(0, 1).

Reference: Child 2021, section 4 and figure 3, https://arxiv.org/abs/2011.10650, and the authors' code
(https://github.com/openai/vdvae). Grids and widths are free here, and every grid starts from a learned state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from ganvas.latents.hierarchy import normal, placed
from ganvas.networks.activations import activation as activation_named
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import Size, image_shape, location_shape
from ganvas.types import Draw, Group, Inferred, widen

NAME = "vdvae"
SMALL = 2
"""Longest side of a grid on which a 3x3 convolution would read padding for the most part."""
Pick = Callable[[Normal, Callable[[], Normal]], Tensor]
"""Chooses the latents of a block from its prior, or from its posterior, which is computed where it is asked for."""


def grids(shape: Sequence[int], count: int) -> list[Size]:
    """Compute the sizes of the grids: that of the image, its halves, and one place.

    Args:
        shape: channels, height and width of one image.
        count: number of grids, at least 2.

    Returns:
        Rows and columns, coarsest first.

    Raises:
        ValueError: the data are points.
    """
    _, height, width = image_shape(NAME, shape)
    sizes = [(height, width)]
    for _ in range(count - 2):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return [(1, 1), *reversed(sizes)]


class _Bottleneck(nn.Sequential):
    """Four convolutions, the two in the middle narrow, each after an activation.

    Args:
        inputs: channels of the input.
        middle: channels of the convolutions in the middle.
        outputs: channels of the output.
        grid: size of the grid.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, grid: Size, activation: str) -> None:
        kernel = 3 if max(grid) > SMALL else 1
        widths = [(inputs, middle, 1), (middle, middle, kernel), (middle, middle, kernel), (middle, outputs, 1)]
        stack: list[nn.Module] = []
        for a, b, size in widths:
            stack += [activation_named(activation), nn.Conv2d(a, b, size, padding=size // 2)]
        super().__init__(*stack)

    @property
    def last(self) -> nn.Conv2d:
        """The last convolution."""
        layer = self[-1]
        assert isinstance(layer, nn.Conv2d)
        return layer


class _Block(nn.Module):
    """A block from the top down, with a group of latents.

    Args:
        width: channels of the state.
        middle: channels in the middle of a bottleneck.
        latents: latents at a place of the grid.
        grid: size of the grid.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
    """

    def __init__(self, width: int, middle: int, latents: int, grid: Size, activation: str) -> None:
        super().__init__()
        self.latents = latents
        self.prior = _Bottleneck(width, middle, 2 * latents + width, grid, activation)
        self.posterior = _Bottleneck(2 * width, middle, 2 * latents, grid, activation)
        self.project = nn.Conv2d(latents, width, 1)
        self.residual = _Bottleneck(width, middle, width, grid, activation)

    def forward(
        self, h: Float[Tensor, "m c h w"], activations: Float[Tensor, "m c h w"] | None, pick: Pick
    ) -> Float[Tensor, "m c h w"]:
        """Pass the block.

        Args:
            h: state.
            activations: those of the encoder; None in generation, which asks for no posterior.
            pick: chooses the latents.
        """
        parameters, r = self.prior(h).tensor_split([2 * self.latents], 1)

        def posterior() -> Normal:
            assert activations is not None
            return _normal(self.posterior(torch.cat([h, activations], 1)))

        z = pick(_normal(parameters), posterior).to(h.dtype)
        h = h + r + self.project(z)
        return h + self.residual(h)


@final
class VDVAE(nn.Module):
    """The encoder and the decoder of a very deep VAE.

    Args:
        shape: channels, height and width of one image.
        blocks: number of groups of latents on each grid, the coarsest grid first: one place, then the halves of the
            image up to its own size. At least two grids, and at least one group on the last.
        encoder_blocks: number of residual blocks of the encoder on each grid, in the same order, each at least 0.
        width: channels of the states.
        middle: channels in the middle of a bottleneck; a quarter of ``width`` in the paper.
        latents: latents of a group at a place of its grid.
        activation: one of :data:`~ganvas.networks.activations.ACTIVATIONS`.
        init: fills each weight in place, before the scaling above; biases start at 0.
        likelihood: reads the output, and may ask for more channels than an example has.

    Raises:
        ValueError: the data are points, or a number is out of range.
    """

    def __init__(
        self,
        shape: Sequence[int],
        blocks: Sequence[int],
        encoder_blocks: Sequence[int],
        width: int,
        middle: int,
        latents: int,
        activation: str,
        init: Initialiser,
        likelihood: object,
    ) -> None:
        super().__init__()
        self.shape = image_shape(NAME, shape)
        _check(blocks, encoder_blocks, width, middle, latents)
        sizes = grids(shape, len(blocks))
        self.groups = tuple(latents * h * w for (h, w), n in zip(sizes, blocks, strict=True) for _ in range(n))
        self.input = nn.Conv2d(self.shape[0], width, 3, padding=1)
        branch = (width, middle, width)
        self.encoder = nn.ModuleList(
            nn.ModuleList(_Bottleneck(*branch, grid, activation) for _ in range(n))
            for grid, n in zip(sizes, encoder_blocks, strict=True)
        )
        self.starts = nn.ParameterList(nn.Parameter(torch.zeros(1, width, *grid)) for grid in sizes)
        self.decoder = nn.ModuleList(
            nn.ModuleList(_Block(width, middle, latents, grid, activation) for _ in range(n))
            for grid, n in zip(sizes, blocks, strict=True)
        )
        self.output = nn.Conv2d(width, location_shape(self.shape, likelihood)[0], 1)
        initialise(self, init)
        self._scale()

    def forward(self, noise: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Generate from the noise of all groups, the top group first."""
        parts = iter(noise.split(self.groups, 1))
        return self._descend(noise, None, lambda prior, posterior: placed(next(parts), prior))

    def infer(self, x: Float[Tensor, "n c h w"], k: int, draw: Draw) -> Inferred:
        """Go through the encoder once, and through the decoder k times, see :class:`ganvas.types.Hierarchy`."""
        activations = [a.repeat(k, 1, 1, 1) for a in self._ascend(x)]
        groups: list[Group] = []

        def pick(prior: Normal, posterior: Callable[[], Normal]) -> Tensor:
            found = posterior()
            z = draw(found)
            groups.append(Group(prior, found, z, follows=True))
            return z

        location = self._descend(activations[0], activations, pick)
        return Inferred(location, tuple(groups))

    def _ascend(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Compute the activations of each grid, coarsest first."""
        h, found = self.input(x), list[Tensor]()
        for start, blocks in zip(reversed(list(self.starts)), reversed(list(self.encoder)), strict=True):
            h = adaptive_avg_pool2d(h, start.shape[2:])  # the first grid is the image's, and stays as it is
            h = _through(blocks, h)
            found.insert(0, h)
        return found

    def _descend(
        self, rows: Float[Tensor, "m ..."], activations: list[Tensor] | None, pick: Pick
    ) -> Float[Tensor, "m k h w"]:
        """Go from one place to the image.

        Args:
            rows: a tensor with as many rows as there are images.
            activations: those of the encoder for each grid, coarsest first; None in generation.
            pick: chooses the latents of each block.
        """
        h: Tensor | None = None
        for grid, (start, blocks) in enumerate(zip(self.starts, self.decoder, strict=True)):
            fresh = start.expand(rows.shape[0], -1, -1, -1)  # len(rows) would fix the number in an exported graph
            h = fresh if h is None else fresh + interpolate(h, size=start.shape[2:], mode="nearest")
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, None if activations is None else activations[grid], pick)
        assert h is not None
        return self.output(h)

    @torch.no_grad()
    def _scale(self) -> None:
        """Scale the last convolutions of branches, so that many branches together start as one."""
        up: list[Any] = [block for blocks in self.encoder for block in blocks]  # type: ignore[attr-defined]
        down: list[Any] = [block for blocks in self.decoder for block in blocks]  # type: ignore[attr-defined]
        for branch in up:
            branch.last.weight.mul_(1 / sqrt(len(up)))
        for block in down:
            block.residual.last.weight.mul_(1 / sqrt(len(down)))
            block.project.weight.mul_(1 / sqrt(len(down)))
            block.prior.last.weight.zero_()


def _through(branches: Any, h: Tensor) -> Tensor:
    for branch in branches:
        h = h + branch(h)
    return h


def _normal(parameters: Float[Tensor, "m c h w"]) -> Normal:
    mean, log_std = widen(parameters).chunk(2, 1)
    return normal(mean, log_std.exp())


def _check(blocks: Sequence[int], encoder_blocks: Sequence[int], width: int, middle: int, latents: int) -> None:
    counts = [*blocks, *encoder_blocks]
    if not 2 <= len(blocks) == len(encoder_blocks) or min(counts) < 0 or blocks[-1] < 1:
        raise ValueError(
            f"blocks={list(blocks)}, encoder_blocks={list(encoder_blocks)}: expected a number of at least 0 for each "
            "of at least two grids, and a group on the last; write blocks=[1,2,2,3,1] encoder_blocks=[1,1,1,1,1]"
        )
    if min(width, middle, latents) < 1:
        raise ValueError(f"width={width}, middle={middle}, latents={latents}: expected at least 1 of each")
