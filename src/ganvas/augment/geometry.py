r"""ADA's geometry: random affine maps of the plane, and images resampled under them without aliasing.

A map is given by its inverse, as a matrix :math:`A` in homogeneous coordinates,

.. math:: T(x)(u) = x(A u), \qquad u = (\text{right}, \text{down}, 1) \text{ in pixels from the middle of the image}.

The image is upsampled twofold by an orthogonal low-pass filter, sampled bilinearly, and downsampled by the same filter.
The filter's orthogonality makes translations by whole pixels exact. Beyond its edges the image goes on as in a mirror.

Reference: Karras et al. 2020, appendix B, https://arxiv.org/abs/2006.06676. Farther than three pixels beyond the edges
the authors' program mirrors before the upsampling, once, and this one mirrors the upsampled image.
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d, conv_transpose1d, grid_sample, pad

from ganvas.augment.base import chosen

TRANSLATION = 0.125
"""Largest translation by whole pixels, and standard deviation of that by fractions, as shares of the image's sides."""
SCALE_STD = 0.2
"""Standard deviation of the binary logarithm of scales."""

# The wavelet filter sym6 (Daubechies 1992, table 6.3), normalised to sum 1.
_SYM6 = (0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466,
         0.787641141030194, 0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578,
         0.0017677118642428036, -0.007800708325034148)  # fmt: skip
_TAPS = [tap / math.sqrt(2) for tap in _SYM6]
_MARGIN = len(_TAPS) // 4
"""Pixels beyond the edges that the filter needs."""


def scaling(factors: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3 3"]:
    """Build scalings along the axes."""
    return torch.diag_embed(pad(factors, (0, 1), value=1.0))


def translation(by: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3 3"]:
    """Build translations."""
    matrix = scaling(torch.ones_like(by))
    matrix[:, :2, 2] = by
    return matrix


def rotation(angle: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Build rotations from the first axis to the second, by angles in radians."""
    cos, sin = angle.cos(), angle.sin()
    matrix = scaling(torch.stack([cos, cos], 1))
    matrix[:, 0, 1], matrix[:, 1, 0] = -sin, sin
    return matrix


def draw(x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]) -> Float[Tensor, "n 3 3"]:
    """Draw the inverse of a random map for each image: pixel blitting, then general geometric transformations.

    Args:
        x: images; their number, sides and device count.
        p: probability of each transformation.

    Returns:
        Matrices in ``float32``; the identity, exactly, for an image on which no transformation acts.
    """
    n, device = len(x), x.device
    sides = torch.tensor([x.shape[3], x.shape[2]], device=device)
    # There are two rotations, so that at least one of them acts with probability p.
    once = 1 - (1 - torch.as_tensor(p, device=device)).clamp(0, 1).sqrt()
    flip = chosen(x, p) & chosen(x, 0.5)
    quarters = torch.randint(4, (n,), device=device) * chosen(x, p)
    whole = (TRANSLATION * (2 * torch.rand(n, 2, device=device) - 1) * sides).round() * chosen(x, p)[:, None]
    zoom, stretch = (torch.exp2(SCALE_STD * torch.randn(n, device=device) * chosen(x, p)) for _ in range(2))
    before, after = (math.pi * (2 * torch.rand(n, device=device) - 1) * chosen(x, once) for _ in range(2))
    part = TRANSLATION * torch.randn(n, 2, device=device) * sides * chosen(x, p)[:, None]
    maps = (
        scaling(torch.stack([1.0 - 2 * flip, torch.ones_like(zoom)], 1)),
        rotation(math.pi / 2 * quarters).round(),
        translation(-whole),
        scaling(torch.stack([zoom, zoom], 1)),
        rotation(before),
        scaling(torch.stack([stretch, 1 / stretch], 1)),
        rotation(after),
        translation(-part),
    )
    return reduce(torch.matmul, maps)


def resample(x: Float[Tensor, "n c h w"], inverse: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n c h w"]:
    """Map each image.

    Args:
        x: images.
        inverse: maps a position in the result to one in the image, in pixels from the middle.
    """
    h, w = x.shape[2:]
    down, right = _fine_positions(h, x), _fine_positions(w, x)
    by_right, by_down, start = inverse[:, None, None, :2].to(x.dtype).unbind(-1)
    positions = by_right * right[:, None] + (by_down * down[:, None, None] + start)
    fine = _finer(h, x) @ x @ _finer(w, x).mT
    mapped = grid_sample(fine, _in_units(positions, x.new_tensor([w, h])), align_corners=True)
    return _coarser(h, x) @ mapped @ _coarser(w, x).mT


def _fine_positions(side: int, like: Tensor) -> Float[Tensor, " fine"]:
    """Build the positions of the finer result and its margins, in pixels from the middle of the image."""
    fine = torch.arange(2 * (side + 2 * _MARGIN), device=like.device, dtype=like.dtype)
    return fine / 2 - _MARGIN - (side - 1) / 2


def _in_units(positions: Float[Tensor, "n h w 2"], sides: Float[Tensor, " 2"]) -> Float[Tensor, "n h w 2"]:
    """Convert positions from the middle to units of the finer image, which reaches from -1 to 1 with its margins."""
    half = (sides - 1) / 2
    beyond = positions.abs() > half + _MARGIN
    return torch.where(beyond, _mirrored(positions + half, sides) - half, positions) / (half + _MARGIN)


def _mirrored(pixels: Tensor, side: int | Tensor) -> Tensor:
    """Mirror positions, in pixels from the first one, at the first and the last pixel."""
    period = torch.as_tensor(2 * (side - 1), device=pixels.device).clamp(min=1)
    folded = pixels.remainder(period)
    return torch.minimum(folded, period - folded)


def _finer(side: int, like: Tensor) -> Float[Tensor, "fine side"]:
    """Build the matrix that upsamples an axis twofold, with margins in which the image is mirrored."""
    padded = _mirrored(torch.arange(-2 * _MARGIN, side + 2 * _MARGIN, device=like.device), side)
    pixels = torch.eye(side, device=like.device, dtype=like.dtype)[:, None, padded]
    fine = conv_transpose1d(pixels, 2 * like.new_tensor(_TAPS)[None, None], stride=2, padding=len(_TAPS) // 2 - 1)
    return fine[:, 0, 2 * _MARGIN : 2 * (side + 3 * _MARGIN) - 1].mT


def _coarser(side: int, like: Tensor) -> Float[Tensor, "side fine"]:
    """Build the matrix that downsamples an axis twofold and leaves out the margins."""
    fine = torch.eye(2 * (side + 2 * _MARGIN), device=like.device, dtype=like.dtype)[:, None, 1:-1]
    return conv1d(fine, like.new_tensor(_TAPS)[None, None], stride=2)[:, 0].mT
