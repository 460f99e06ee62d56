r"""Plane shapes as signed distances: negative inside, 0 on the outline, positive outside.

Each shape touches the unit circle about the origin from within. With :math:`u` to the right and :math:`v` down,

.. math::
    \text{square: } d &= \max(|u|, |v|) - \tfrac{1}{\sqrt 2}, \\
    \text{ellipse: } d &\approx \frac{\rho - 1}{\lVert \nabla \rho \rVert}, \qquad \rho = \sqrt{u^2 + 4 v^2}, \\
    \text{heart: } d &= \min(d_\text{square}, d_\text{left disc}, d_\text{right disc}),

where the heart is a square of side :math:`s` that stands on a corner, with a disc of diameter :math:`s` about the
middle of each of its two upper sides. Near the outline the distances are exact but at corners; that of the ellipse is
exact to first order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

_BULGE: Final = 1 / math.sqrt(2) - 1 / 2
_CENTRE: Final = (1 / 4 - _BULGE**2) / (2 * _BULGE + 1 / math.sqrt(2))
"""Height of the centre of the heart's circumscribed circle above that of its square, in sides of the square."""
SIDE: Final = 1 / (_CENTRE + 1 / math.sqrt(2))
"""Side of the square of a heart whose circumscribed circle has radius 1; the tip and both discs touch the circle."""


@final
@dataclass(frozen=True)
class Silhouette:
    """A plane shape.

    Args:
        distance: function of ``u`` and ``v`` in units of the circumradius; returns the signed distance, same unit.
        turn: smallest rotation that brings the shape onto itself, degrees.
    """

    distance: Callable[[Tensor, Tensor], Tensor]
    turn: int


def _square(u: Float[Tensor, "*n"], v: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return torch.maximum(u.abs(), v.abs()) - 1 / math.sqrt(2)


def _ellipse(u: Float[Tensor, "*n"], v: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    rho, slope = torch.hypot(u, 2 * v), torch.hypot(u, 4 * v)
    tiny = torch.finfo(u.dtype).tiny  # at the centre the gradient has no direction; its length is at least 1
    return (rho - 1) * rho.clamp_min(tiny) / slope.clamp_min(tiny)


def _heart(u: Float[Tensor, "*n"], v: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    up = SIDE * _CENTRE - v
    p, q, half = (up + u) / math.sqrt(2), (up - u) / math.sqrt(2), SIDE / 2
    square = torch.maximum(p.abs(), q.abs()) - half
    discs = torch.minimum(torch.hypot(p - half, q), torch.hypot(p, q - half)) - half
    return torch.minimum(square, discs)


SILHOUETTES: Final[Mapping[str, Silhouette]] = MappingProxyType(
    {"square": Silhouette(_square, 90), "ellipse": Silhouette(_ellipse, 180), "heart": Silhouette(_heart, 360)}
)
