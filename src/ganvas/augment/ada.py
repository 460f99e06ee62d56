r"""ADA: many transformations, each with a small probability that adapts to how much the critic overfits.

The pipeline is the paper's ``bgc``: pixel blitting, general geometric transformations (:mod:`ganvas.augment.geometry`),
colour transformations (:mod:`ganvas.augment.hues`). Each acts on each image with probability :math:`p`, independently,
so that at :math:`p < 0.8` the distribution of the images can be told from that of the transformed ones, and no
transformation leaks into what is generated.

Reference: Karras et al. 2020, https://arxiv.org/abs/2006.06676
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.augment import geometry, hues
from ganvas.augment.base import ImageAugmentation
from ganvas.augment.strength import Strength


@final
@dataclass(frozen=True)
class ADA(ImageAugmentation):
    r"""Adaptive discriminator augmentation.

    Args:
        p: probability of each transformation, in [0, 1]; where it starts if there is a ``target``.
        target: mean sign of the scores of real images that ``p`` steers to, between -1 and 1; None keeps ``p``.
        images: number of images in which ``p`` can go from 0 to 1, positive.

    Raises:
        ValueError: a number is out of range.
    """

    target: float | None
    images: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target is not None and not -1 < self.target < 1:
            raise ValueError(f"target: got {self.target!r}, expected a number between -1 and 1, or null. Use 0.6.")
        if self.images <= 0:
            raise ValueError(f"images: got {self.images!r}, expected a positive number. Use 500_000.")

    def strength(self) -> Strength | None:
        """Make what moves ``p`` towards the target."""
        return None if self.target is None else Strength(self.p, self.target, self.images)

    def transform(self, x: Float[Tensor, "n c h w"], p: float | Float[Tensor, ""]) -> Float[Tensor, "n c h w"]:
        """Map each image, then the values of its pixels."""
        inverse = geometry.draw(x, p)
        x = torch.where(_acts(inverse), geometry.resample(x, inverse), x)
        matrix, offset = hues.draw(x, p)
        matrix, offset = matrix.to(x.dtype), offset.to(x.dtype)
        coloured = (matrix @ x.flatten(2) + offset[:, :, None]).view_as(x)
        return torch.where(_acts(matrix, offset), coloured, x)


def _acts(matrix: Float[Tensor, "n k k"], offset: Float[Tensor, "n k"] | None = None) -> Tensor:
    """Find the images that a map changes, so that the others stay as they are, bit for bit; shape ``(n, 1, 1, 1)``."""
    acts = (matrix != torch.eye(matrix.shape[1], device=matrix.device)).flatten(1).any(1)
    return (acts if offset is None else acts | (offset != 0).any(1))[:, None, None, None]
