r"""White shapes on black, drawn from known factors: shape, scale, rotation, x and y, every combination once.

The colour of a pixel follows from the signed distance :math:`d`, in pixels, of its centre from the shape's outline
(:mod:`ganvas.data.sources.silhouettes`):

.. math:: \text{binary: } 255 \cdot [d \le 0], \qquad
    \text{smooth: } \operatorname{round}(255 \cdot \min(1, \max(0, \tfrac12 - d))).

Images are drawn when they are asked for, so that a large grid of factors takes no memory. Positions keep every shape
within the image. Unlike in dSprites, rotations span less than the turn after which a shape looks the same: a square
that is shown at 40 rotations of a full turn has only 10. In small binary images two neighbours may still look the same.

Reference: after dSprites, Matthey et al. 2017, https://github.com/google-deepmind/dsprites-dataset
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.hold_out import three_splits
from ganvas.data.source import DataError, Examples, KnownFactor, Source, require_shape
from ganvas.data.sources.silhouettes import SILHOUETTES

REVISION: Final = 1
"""Increase it with every change that changes a pixel: it is in the fingerprint."""


@final
@dataclass(frozen=True)
class Drawing:
    """The values of each factor, and how an image is drawn from them.

    Args:
        shapes: names in :data:`~ganvas.data.sources.silhouettes.SILHOUETTES`.
        scales: sizes as shares of the largest one.
        angles: rotations, radians, clockwise.
        xs: horizontal positions of the centre, as shares of the side, from the left.
        ys: vertical positions of the centre, as shares of the side, from the top.
        size: side of the image, pixels.
        radius: circumradius of the largest shape, as a share of the side.
        smooth: whether edges are anti-aliased.
    """

    shapes: tuple[str, ...]
    scales: tuple[float, ...]
    angles: tuple[float, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    size: int
    radius: float
    smooth: bool

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of values of each factor."""
        return tuple(map(len, (self.shapes, self.scales, self.angles, self.xs, self.ys)))

    def __call__(self, values: Int64[Tensor, "n 5"]) -> UInt8[Tensor, "n 1 h w"]:
        """Draw one image for each row of factor values.

        Args:
            values: numbers of the values of shape, scale, rotation, x and y.
        """
        images = torch.empty(len(values), self.size, self.size, dtype=torch.uint8)
        for number, shape in enumerate(self.shapes):
            chosen = values[:, 0] == number
            images[chosen] = self._of_shape(shape, values[chosen])
        return images[:, None]

    def _of_shape(self, shape: str, values: Int64[Tensor, "n 5"]) -> UInt8[Tensor, "n h w"]:
        tables = (self.scales, self.angles, self.xs, self.ys)
        scale, angle, x, y = (
            torch.tensor(table)[column, None, None]
            for table, column in zip(tables, values[:, 1:].unbind(1), strict=True)
        )
        line, radius = (torch.arange(self.size) + 0.5) / self.size, self.radius * scale
        right, down = (line[None, None, :] - x) / radius, (line[None, :, None] - y) / radius
        cos, sin = angle.cos(), angle.sin()
        distance = SILHOUETTES[shape].distance(cos * right + sin * down, cos * down - sin * right)
        if not self.smooth:
            return (distance <= 0).to(torch.uint8) * 255
        return (0.5 - distance * radius * self.size).clamp_(0, 1).mul_(255).round_().to(torch.uint8)


@final
class SpriteExamples(Examples):
    """Some of the images of a drawing, drawn at every access.

    Args:
        drawing: see :class:`Drawing`.
        places: numbers of the combinations of factors; y varies fastest, then x, rotation, scale and shape.
    """

    def __init__(self, drawing: Drawing, places: Int64[Tensor, " n"]) -> None:
        self.drawing, self.places = drawing, places
        self.shape = (1, drawing.size, drawing.size)
        self.in_memory = False
        values = self._values(torch.arange(len(places)))
        self.labels = values[:, 0].contiguous()
        self.factors = values[:, [n > 1 for n in drawing.counts]].contiguous()

    def __len__(self) -> int:
        return len(self.places)

    def _values(self, index: Int64[Tensor, " n"]) -> Int64[Tensor, "n 5"]:
        return torch.stack(torch.unravel_index(self.places[index], self.drawing.counts), dim=1)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`; draws."""
        return self.drawing(self._values(index))

    def fingerprint(self) -> str:
        """Hash the drawing, its revision and the places: to draw a large grid takes minutes."""
        digest = hashlib.sha256(f"sprites {REVISION} {self.drawing!r} {len(self)}\n".encode())
        digest.update(self.places.numpy().data)
        return digest.hexdigest()


@final
class Sprites(Source):
    """Every combination of shape, scale, rotation, x and y once, split at random, but always in the same way.

    The classes are the shapes. A factor with one value is none: it does not vary.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(1, size, size)``.
        size: side of the images, pixels, at least 8.
        shapes: names of different shapes: square, ellipse, heart.
        scales: number of sizes, at least 1, at equal steps from ``smallest`` to 1.
        smallest: smallest size as a share of the largest, above 0, at most 1.
        rotations: number of rotations, at least 1, at equal steps from 0 to below ``turn``.
        turn: degrees, above 0, at most the rotation after which one of the shapes looks the same (square 90,
            ellipse 180, heart 360).
        xs: number of horizontal positions, at least 1: the middles of equal parts of the way that keeps shapes whole.
        ys: number of vertical positions, likewise.
        radius: circumradius of the largest shape as a share of the side, above 0, below 0.5.
        smooth: whether edges are anti-aliased (grey); false gives black and white.
        val: number of images held out for validation.
        test: number of images held out for testing; chosen before ``val``, so that ``val`` does not change the test
            split.

    Raises:
        DataError: an argument out of range.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        size: int,
        shapes: Sequence[str],
        scales: int,
        smallest: float,
        rotations: int,
        turn: float,
        xs: int,
        ys: int,
        radius: float,
        smooth: bool,
        val: int,
        test: int,
    ) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, (1, size, size))
        _check(size, shapes, smallest, turn, radius, {"scales": scales, "rotations": rotations, "xs": xs, "ys": ys})
        self.drawing = Drawing(
            shapes=tuple(shapes),
            scales=tuple(np.linspace(1, smallest, scales)[::-1].tolist()),
            angles=tuple((np.arange(rotations) * math.radians(turn) / rotations).tolist()),
            xs=_way(xs, radius),
            ys=_way(ys, radius),
            size=size,
            radius=radius,
            smooth=smooth,
        )
        self.classes = self.drawing.shapes
        named = zip(("shape", "scale", "rotation", "x", "y"), self.drawing.counts, strict=True)
        self.factors = tuple(KnownFactor(factor, n, ordered=factor != "shape") for factor, n in named if n > 1) or None
        self._places = three_splits(math.prod(self.drawing.counts), val, test)

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split, places in self._places.items() if len(places))

    def _load(self, split: str) -> Examples:
        return SpriteExamples(self.drawing, self._places[split])


def _way(n: int, radius: float) -> tuple[float, ...]:
    """Return the middles of ``n`` equal parts of the side without the margins that the largest shape needs."""
    return tuple((radius + (1 - 2 * radius) * (np.arange(n) + 0.5) / n).tolist())


def _check(
    size: int, shapes: Sequence[str], smallest: float, turn: float, radius: float, counts: dict[str, int]
) -> None:
    if not shapes or len(set(shapes)) < len(shapes) or not set(shapes) <= set(SILHOUETTES):
        raise DataError(f"shapes={list(shapes)}: must be different ones of {', '.join(SILHOUETTES)}.")
    for argument, n in counts.items():
        if n < 1:
            raise DataError(f"{argument}={n}: must be at least 1.")
    if size < 8 or not 0 < smallest <= 1 or not 0 < radius < 0.5:
        raise DataError(
            f"size={size}, smallest={smallest}, radius={radius}: size must be at least 8 pixels, smallest above 0 and "
            "at most 1, radius above 0 and below 0.5."
        )
    first = min(shapes, key=lambda shape: SILHOUETTES[shape].turn)
    if not 0 < turn <= SILHOUETTES[first].turn:
        raise DataError(
            f"turn={turn}: must be above 0 and at most {SILHOUETTES[first].turn}, after which a {first} looks the same "
            "and its rotation is unknown; set data.turn, or leave the shape out of data.shapes."
        )
