r"""ADA's colours: random affine maps of the values of a pixel.

With :math:`v = (1, \dots, 1) / \sqrt{C}`, the axis of grey values of :math:`C` channels, the map is a product of:

- brightness :math:`x + b`, :math:`b \sim N(0, 0.2^2)`, and contrast :math:`c x`, :math:`\log_2 c \sim N(0, 0.5^2)`;
- luma flip, the reflection :math:`x - 2 v v^\top x`;
- hue, a rotation by :math:`\theta \sim U(-\pi, \pi)` around :math:`v`. Fewer than three channels have none; with more
  than three the rotation acts in the plane of the channels' first Fourier mode;
- saturation :math:`v v^\top x + s (x - v v^\top x)`, :math:`\log_2 s \sim N(0, 1)`; it keeps grey images as they are.

Reference: Karras et al. 2020, appendix B, https://arxiv.org/abs/2006.06676, for 1 and 3 channels.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ganvas.augment.base import chosen

BRIGHTNESS_STD = 0.2
CONTRAST_STD = 0.5
SATURATION_STD = 1.0


def draw(
    x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]
) -> tuple[Float[Tensor, "n c c"], Float[Tensor, "n c"]]:
    """Draw a random map for each image.

    Args:
        x: images; their number, channels and device count.
        p: probability of each transformation.

    Returns:
        Matrix and offset in ``float32``; exactly the identity and 0 for an image on which no transformation acts.
    """
    n, c = x.shape[:2]

    def normal(std: float) -> Tensor:
        return std * torch.randn(n, device=x.device) * chosen(x, p)

    brightness, contrast = normal(BRIGHTNESS_STD), torch.exp2(normal(CONTRAST_STD))
    flip = chosen(x, p) & chosen(x, 0.5)
    angle = math.pi * (2 * torch.rand(n, device=x.device) - 1) * chosen(x, p)
    grey = torch.full((c, c), 1 / c, device=x.device)
    colours = saturation(grey, torch.exp2(normal(SATURATION_STD))) @ hue(grey, angle) @ luma_flip(grey, flip)
    matrix = contrast[:, None, None] * colours
    return matrix, matrix.sum(2) * brightness[:, None]


def luma_flip(grey: Float[Tensor, "c c"], flip: Bool[Tensor, " n"]) -> Float[Tensor, "n c c"]:
    """Build reflections of the grey axis where ``flip`` is true; ``grey`` projects onto that axis."""
    return torch.eye(len(grey), device=grey.device) - 2 * grey * flip[:, None, None]


def saturation(grey: Float[Tensor, "c c"], factor: Float[Tensor, " n"]) -> Float[Tensor, "n c c"]:
    """Build scalings of everything but the grey axis; ``grey`` projects onto that axis."""
    identity = torch.eye(len(grey), device=grey.device)
    return identity + (factor - 1)[:, None, None] * (identity - grey)


def hue(grey: Float[Tensor, "c c"], angle: Float[Tensor, " n"]) -> Float[Tensor, "n c c"]:
    """Build rotations around the grey axis by angles in radians; the identity below three channels."""
    channels = len(grey)
    identity = torch.eye(channels, device=grey.device).expand(len(angle), -1, -1)
    if channels < 3:
        return identity
    phase = 2 * math.pi * torch.arange(channels, device=grey.device) / channels
    a, b = math.sqrt(2 / channels) * phase.cos(), math.sqrt(2 / channels) * phase.sin()
    plane, turn = torch.outer(a, a) + torch.outer(b, b), torch.outer(b, a) - torch.outer(a, b)
    angle = angle[:, None, None]
    return identity + (angle.cos() - 1) * plane + angle.sin() * turn
