"""The one resize of all extractors but the embedded one: TensorFlow 1's bilinear grid, as the 2015 Inception had it."""

from __future__ import annotations

from typing import Final

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

TF1_GRID: Final = "bilinear to {0}x{0} on TensorFlow 1's grid (no antialias, corners not aligned)"
"""How a protocol states it."""


def tf1_resize(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
    """Resize to a square by torch-fidelity's function.

    Args:
        images: any range.
        size: side of the result, in pixels.

    Returns:
        Images in the same range.
    """
    return interpolate_bilinear_2d_like_tensorflow1x(images, size=(size, size), align_corners=False)
