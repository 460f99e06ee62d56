"""Bilinear resize on TensorFlow 1's grid, as for the 2015 Inception; all extractors but the embedded one use it."""

from __future__ import annotations

from typing import Final

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

TF1_GRID: Final = "bilinear to {0}x{0} on TensorFlow 1's grid (no antialias, corners not aligned)"
"""Description of the resize in a protocol."""


def tf1_resize(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n c size size"]:
    """Resize images of any value range to a square by torch-fidelity's function.

    Args:
        images: values in any range, which the result keeps.
        size: side of the result, in pixels.
    """
    return interpolate_bilinear_2d_like_tensorflow1x(images, size=(size, size), align_corners=False)
