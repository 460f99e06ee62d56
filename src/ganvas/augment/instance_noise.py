r"""Instance noise: normal noise on every coordinate, so that real and generated distributions overlap.

.. math:: T(x) = x + p\, \epsilon, \qquad \epsilon \sim N(0, I).

The noise is usually reduced to 0 in the course of the training, by a schedule of ``augment.p``.

Reference: Sønderby et al. 2016, section 3.1, https://arxiv.org/abs/1610.04490; Arjovsky & Bottou 2017, section 3,
https://arxiv.org/abs/1701.04862
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.augment.base import Augmentation
from ganvas.types import Shape, widen


@final
@dataclass(frozen=True)
class InstanceNoise(Augmentation):
    r"""Adds normal noise to images or points.

    Args:
        p: standard deviation of the noise, in units of the examples, 0 or more.

    Raises:
        ValueError: ``p`` is negative.
    """

    p: float

    def __post_init__(self) -> None:
        if self.p < 0:
            raise ValueError(f"p: got {self.p!r}, expected a standard deviation of at least 0. Use 0.1.")

    def __call__(self, x: Float[Tensor, " n *shape"], p: float | Float[Tensor, ""]) -> Float[Tensor, " n *shape"]:
        """Add noise in at least ``float32``."""
        return (widen(x) + p * torch.randn_like(widen(x))).to(x.dtype)

    def check(self, shape: Shape) -> None:
        """Accept any data."""
