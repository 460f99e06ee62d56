r"""The gated PixelCNN over a grid of codes: the logits of each code from the codes before it.

Two stacks go through the grid. The vertical one sees all rows above a place, the horizontal one the places to the left
in its row and, by a 1x1 convolution, the vertical stack at its place:

.. math:: v' = g(W_v * v), \qquad h' = h + W_1\, g(W_h * h + W_{vh} (W_v * v)), \qquad
    g([a, b]) = \tanh(a) \odot \sigma(b).

:math:`W_v *` reaches from a few rows above to its own row, :math:`W_h *` from a few columns to the left to its own one.
Before the first layer, the vertical stack is moved down by a row and the horizontal one to the right by a column: so no
place sees itself, nothing need be masked, and no earlier place is hidden. With several codes at a place, the logits of
level l also see the codes of the levels before it at their own place.

Reference: van den Oord et al. 2016, section 2.2 and figure 2, https://arxiv.org/abs/1606.05328
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import pad

from ganvas.networks.init import Initialiser, initialise

NAME = "gated_pixel_cnn"


class Predictor(nn.Module):
    """Network from grids of codes, of any size, to the logits of each code.

    Args:
        codes: number K of values of a code, at least 2.
        depth: number of codes at a place, at least 1.
        channels: width of both stacks.
        layers: number of layers, at least 1; each looks ``kernel // 2`` places further.
        kernel: side of the convolutions, odd, at least 3.
        hidden: width of the layer before the logits.
        init: fills each weight of a convolution in place; biases start at 0.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self, codes: int, depth: int, channels: int, layers: int, kernel: int, hidden: int, init: Initialiser
    ) -> None:
        super().__init__()
        if codes < 2 or depth < 1 or layers < 1 or kernel < 3 or kernel % 2 == 0:
            raise ValueError(
                f"network '{NAME}': got codes={codes}, depth={depth}, layers={layers}, kernel={kernel}; expected at "
                "least 2, at least 1, at least 1 and an odd number from 3 on. Fix: write network.predictor.layers=5 "
                "network.predictor.kernel=3."
            )
        self.codes, self.depth = codes, depth
        self.embedding = nn.Embedding(depth * codes, channels)
        self.stack = nn.ModuleList(_Layer(channels, kernel) for _ in range(layers))
        self.levels = nn.Embedding((depth - 1) * codes, channels) if depth > 1 else None
        self.heads = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, codes, 1))
            for _ in range(depth)
        )
        initialise(self, init)

    def forward(self, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n l h w k"]:
        """Compute the logits."""
        return self._logits(codes, self.context(self._summed(codes)))

    def row(self, above: Int64[Tensor, "n l r w"]) -> Callable[[Int64[Tensor, "n l 1 w"]], Float[Tensor, "n l 1 w k"]]:
        """Return a function from the codes of the next row to their logits; the rows above are worked through once.

        Args:
            above: codes of the first r rows, 0 or more.
        """
        down, across = pad(self._summed(above), (0, 0, 1, 0)), []
        for layer in self._layers():
            down, rows = layer.down(down)
            across.append(rows[:, :, -1:])
        return lambda codes: self._logits(codes, self._along(self._summed(codes), across))

    def context(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Compute what each place knows of the places before it.

        Args:
            x: embedded codes.
        """
        down, across = pad(x, (0, 0, 1, 0))[:, :, :-1], []
        for layer in self._layers():
            down, rows = layer.down(down)
            across.append(rows)
        return self._along(x, across)

    def _along(self, x: Float[Tensor, "n c h w"], across: Iterable[Tensor]) -> Float[Tensor, "n c h w"]:
        """Run the horizontal stack, given what each layer of the vertical one says to it."""
        right = pad(x, (1, 0))[..., :-1]
        for layer, rows in zip(self._layers(), across, strict=True):
            right = layer.right(right, rows)
        return right

    def _logits(self, codes: Int64[Tensor, "n l h w"], seen: Float[Tensor, "n c h w"]) -> Float[Tensor, "n l h w k"]:
        logits = []
        for level, head in enumerate(self.heads):
            logits.append(head(seen).movedim(1, -1))
            if self.levels is not None and level + 1 < self.depth:
                seen = seen + self._embedded(self.levels, codes[:, : self.depth - 1])[:, level]
        return torch.stack(logits, 1)

    def _layers(self) -> Iterable[_Layer]:
        return (layer for layer in self.stack if isinstance(layer, _Layer))

    def _summed(self, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n c h w"]:
        return self._embedded(self.embedding, codes).sum(1)

    def _embedded(self, table: nn.Embedding, codes: Int64[Tensor, "n l h w"]) -> Float[Tensor, "n l c h w"]:
        """Embed codes, those of each level by rows of its own."""
        first = self.codes * torch.arange(codes.shape[1], device=codes.device)
        return table(codes + first[:, None, None]).movedim(-1, 2)


@final
class _Layer(nn.Module):
    """A layer of both stacks."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        half = kernel // 2
        self.above, self.left = (half, half, half, 0), (half, 0)
        self.vertical = nn.Conv2d(channels, 2 * channels, (half + 1, kernel))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, half + 1))
        self.across = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.back = nn.Conv2d(channels, channels, 1)

    def down(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n two_c h w"]]:
        """Compute the vertical stack, and what it says to the horizontal one."""
        rows = self.vertical(pad(x, self.above))
        return _gated(rows), self.across(rows)

    def right(self, x: Float[Tensor, "n c h w"], rows: Float[Tensor, "n two_c h w"]) -> Float[Tensor, "n c h w"]:
        """Compute the horizontal stack."""
        return x + self.back(_gated(self.horizontal(pad(x, self.left)) + rows))


def _gated(x: Float[Tensor, "n two_c h w"]) -> Float[Tensor, "n c h w"]:
    values, gates = x.chunk(2, 1)
    return values.tanh() * gates.sigmoid()
