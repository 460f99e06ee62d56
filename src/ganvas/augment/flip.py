r"""Horizontal flips: each image is mirrored, left to right, with probability :math:`p`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.augment.base import ImageAugmentation, chosen


@final
@dataclass(frozen=True)
class Flip(ImageAugmentation):
    """Mirrors images left to right.

    Args:
        p: probability, in [0, 1]. At 1/2 mirrored and plain images are equally frequent; above it the generator cannot
            tell which of both it should make.
    """

    def transform(self, x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]) -> Float[Tensor, "n c h w"]:
        """Mirror the chosen images."""
        return torch.where(chosen(x, p)[:, None, None, None], x.flip(3), x)
