r"""Resampling through a low-pass filter, so that no grid between the layers aliases.

The filter is :math:`f f^\top` with :math:`f = (1, 3, 3, 1) / 8`. Enlarging puts zeros between the pixels and filters
with gain 4; shrinking filters and keeps every second pixel. Each is one depthwise convolution.

Reference: Karras et al. 2020, https://arxiv.org/abs/1912.04958, whose program calls it ``upfirdn2d``; Zhang 2019,
https://arxiv.org/abs/1904.11486
"""

from __future__ import annotations

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

TAPS: Final = (1.0, 3.0, 3.0, 1.0)


class Filter(nn.Module):
    """Filter each channel, and keep every ``stride``-th pixel.

    Args:
        stride: 1 or 2.
        padding: rows and columns of zeros on each side; n pixels become ``(n + 2 padding - 4) // stride + 1``.
        gain: factor on the result; 4 after zeros were put between the pixels.
    """

    kernel: Tensor

    def __init__(self, stride: int, padding: int, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor(TAPS) / sum(TAPS)
        self.register_buffer("kernel", gain * torch.outer(taps, taps), persistent=False)
        self.stride = stride
        self.padding = padding

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c a b"]:
        """Filter images."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        return F.conv2d(x, kernel, stride=self.stride, padding=self.padding, groups=channels)


class Enlarge(nn.Module):
    """Double height and width."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        taps = torch.tensor(TAPS) / sum(TAPS)
        self.register_buffer("kernel", 4 * torch.outer(taps, taps), persistent=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c a b"]:
        """Enlarge images."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)


def shrink() -> Filter:
    """Make the filter that halves height and width."""
    return Filter(stride=2, padding=1)
