r"""Learning-rate schedules: a factor :math:`f(s)` on the base rate, as a function of images seen :math:`s`.

Constant :math:`f = 1`; linear decay :math:`f = \max(0, 1 - s / S)` (WGAN-GP App. F); cosine
:math:`f = (1 + \cos(\pi \min(s / S, 1))) / 2`, with :math:`S` the budget in images; the stages of the IWAE; the
exponential decay and momentum ramp of the first GAN. Counting images, not optimiser steps, makes a schedule mean the
same at any batch size and number of critic updates.
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

    def momentum(self, images_seen: int) -> float | None:
        """The momentum after ``images_seen`` images; None leaves the optimiser's own."""
        return None


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


@dataclass(frozen=True)
class Stages(Schedule):
    r"""Stage i lasts :math:`3^i` epochs at :math:`f = 10^{-i/7}`; the paper's eight stages are 3,280 epochs.

    Reference: Burda et al. 2016, section 5, https://arxiv.org/abs/1509.00519.

    Args:
        epoch: images of the training set.
    """

    epoch: int

    def __call__(self, images_seen: int) -> float:
        """The factor in [0, 1] after ``images_seen`` images."""
        stage, end = 0, self.epoch
        while images_seen >= end:
            stage += 1
            end += 3**stage * self.epoch
        return 10 ** (-stage / 7)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    r""":math:`f(s) = \max(f_0, d^{-s / b})`, with a momentum that rises linearly from :math:`m_0` to :math:`m_1`.

    Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, mnist.yaml of the authors' code
    (``ExponentialDecay`` and ``MomentumAdjustor`` of pylearn2).

    Args:
        decay: :math:`d`, by which the rate is divided every batch.
        batch: :math:`b`, images of one.
        floor: :math:`f_0`.
        momentum_start: :math:`m_0`, in [0, 1).
        momentum_end: :math:`m_1`, in [0, 1).
        momentum_images: images after which it is reached.
    """

    decay: float
    batch: int
    floor: float
    momentum_start: float
    momentum_end: float
    momentum_images: int

    def __call__(self, images_seen: int) -> float:
        """The factor in [0, 1] after ``images_seen`` images."""
        return max(self.floor, self.decay ** (-images_seen / self.batch))

    def momentum(self, images_seen: int) -> float:
        """The momentum after ``images_seen`` images."""
        share = min(images_seen / self.momentum_images, 1.0)
        return self.momentum_start + share * (self.momentum_end - self.momentum_start)
