"""Bilinear resize on TensorFlow 1's grid, as for the 2015 Inception; all extractors but the embedded one use it."""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

TF1_GRID: Final = "bilinear to {0}x{0} on TensorFlow 1's grid (no antialias, corners not aligned)"
"""Description of the resize in a protocol."""


def tf1_resize(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
    """Resize images of any value range to a square, by the sums of torch-fidelity in its order: the same bits.

    Each row is interpolated once, where torch-fidelity interpolates the two rows of each place.

    Args:
        images: values in any range, which the result keeps.
        size: side of the result, in pixels.
    """
    return _along(_along(images, 3, size), 2, size)


def _along(x: Float[Tensor, "n c h w"], axis: int, size: int) -> Float[Tensor, "n c h2 w2"]:
    """Interpolate linearly along an axis; output i lies at i times the old size divided by the new one."""
    n = x.shape[axis]
    places = torch.arange(size, dtype=x.dtype, device=x.device) * torch.tensor(n / size, dtype=torch.float32)
    low = places.long()
    share = (places - low.float()).view(-1, *[1] * (3 - axis))
    below, above = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp_max(n - 1))
    return below + (above - below) * share
