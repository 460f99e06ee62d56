r"""Learning-rate schedules: a factor :math:`f(s)` on the base rate, as a function of images seen :math:`s`.

Constant :math:`f = 1`; linear decay :math:`f = \max(0, 1 - s / S)` (WGAN-GP App. F); cosine
:math:`f = (1 + \cos(\pi \min(s / S, 1))) / 2`, with :math:`S` the budget in images. Counting images, not optimiser
steps, makes a schedule mean the same at any batch size and number of critic updates.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


class Schedule(ABC):
    """A factor on the learning rate, by images seen."""

    @abstractmethod
    def __call__(self, images_seen: int) -> float:
        """The factor in [0, 1] after ``images_seen`` images."""


@dataclass(frozen=True)
class Constant(Schedule):
    r""":math:`f(s) = 1`."""

    def __call__(self, images_seen: int) -> float:
        """The factor, always 1."""
        return 1.0


@dataclass(frozen=True)
class LinearDecay(Schedule):
    r""":math:`f(s) = \max(0, 1 - s / S)`.

    Reference: Gulrajani et al. 2017, Appendix F, https://arxiv.org/abs/1704.00028.

    Args:
        images: :math:`S`, images after which the rate is zero.
    """

    images: int

    def __call__(self, images_seen: int) -> float:
        """The factor in [0, 1] after ``images_seen`` images."""
        return max(0.0, 1.0 - images_seen / self.images)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    r""":math:`f(s) = (1 + \cos(\pi \min(s / S, 1))) / 2`.

    Reference: Loshchilov and Hutter 2017, eq. 5 with one cycle and a minimum of 0, https://arxiv.org/abs/1608.03983.

    Args:
        images: :math:`S`, images after which the rate is zero.
    """

    images: int

    def __call__(self, images_seen: int) -> float:
        """The factor in [0, 1] after ``images_seen`` images."""
        return 0.5 * (1.0 + math.cos(math.pi * min(images_seen / self.images, 1.0)))
