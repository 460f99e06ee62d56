r"""Schedules: numbers of a model as functions of the number of images seen, :math:`s`.

A :class:`Factor` multiplies the number in the config. Constant :math:`f = 1`; linear decay
:math:`f = \max(0, 1 - s / S)` (WGAN-GP App. F); cosine :math:`f = (1 + \cos(\pi \min(s / S, 1))) / 2`, with :math:`S`
the budget in images; the stages of the IWAE; the exponential decay of the first GAN; linear warm-up. A :class:`Ramp`
goes linearly from one value to another. Because schedules count images and not optimiser steps, they mean the same for
any batch size and number of critic updates, and a resumed run has no state of a schedule to restore.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final


def _require_positive(argument: str, received: int) -> None:
    """Raise a ValueError unless the length in images is positive; else a schedule would divide by 0 or never end."""
    if not received > 0:
        raise ValueError(f"{argument}: got {received}, expected more than 0 images. Write schedule=constant for none.")


class Schedule(ABC):
    """Abstract: a number as a function of the images seen."""

    @abstractmethod
    def value(self, base: Any, images_seen: int) -> Any:
        """Return the number after ``images_seen`` images.

        Args:
            base: value in the config: a number, or several such as Adam's betas.
            images_seen: images seen by the model, at least 0.
        """


class Factor(Schedule):
    """Abstract: a factor on the value in the config."""

    @abstractmethod
    def __call__(self, images_seen: int) -> float:
        """Return the factor after ``images_seen`` images."""

    def value(self, base: Any, images_seen: int) -> Any:
        """Multiply the number, or each of several, by the factor."""
        factor = self(images_seen)
        return [each * factor for each in base] if isinstance(base, Sequence) else base * factor


@final
@dataclass(frozen=True)
class Constant(Factor):
    r""":math:`f(s) = 1`."""

    def __call__(self, images_seen: int) -> float:
        """Return the factor, always 1."""
        return 1.0


@final
@dataclass(frozen=True)
class LinearDecay(Factor):
    r""":math:`f(s) = \max(0, 1 - s / S)`.

    Reference: Gulrajani et al. 2017, Appendix F, https://arxiv.org/abs/1704.00028.

    Args:
        images: :math:`S`, images after which the factor is 0; positive.
    """

    images: int

    def __post_init__(self) -> None:
        _require_positive("images", self.images)

    def __call__(self, images_seen: int) -> float:
        """Return the factor in [0, 1] after ``images_seen`` images."""
        return max(0.0, 1.0 - images_seen / self.images)


@final
@dataclass(frozen=True)
class CosineDecay(Factor):
    r""":math:`f(s) = (1 + \cos(\pi \min(s / S, 1))) / 2`.

    Reference: Loshchilov and Hutter 2017, eq. 5 with one cycle and a minimum of 0, https://arxiv.org/abs/1608.03983.

    Args:
        images: :math:`S`, images after which the factor is 0; positive.
    """

    images: int

    def __post_init__(self) -> None:
        _require_positive("images", self.images)

    def __call__(self, images_seen: int) -> float:
        """Return the factor in [0, 1] after ``images_seen`` images."""
        return 0.5 * (1.0 + math.cos(math.pi * min(images_seen / self.images, 1.0)))


@final
@dataclass(frozen=True)
class Stages(Factor):
    r"""Stage i lasts :math:`3^i` epochs at :math:`f = 10^{-i/7}`; the paper's eight stages are 3,280 epochs.

    Reference: Burda et al. 2016, section 5, https://arxiv.org/abs/1509.00519.

    Args:
        epoch: number of images in the training set.
    """

    epoch: int

    def __post_init__(self) -> None:
        _require_positive("epoch", self.epoch)

    def __call__(self, images_seen: int) -> float:
        """Return the factor in [0, 1] after ``images_seen`` images."""
        stage, end = 0, self.epoch
        while images_seen >= end:
            stage += 1
            end += 3**stage * self.epoch
        return 10 ** (-stage / 7)


@final
@dataclass(frozen=True)
class ExponentialDecay(Factor):
    r""":math:`f(s) = \max(f_0, d^{-s / b})`.

    Reference: Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, mnist.yaml of the authors' code
    (``ExponentialDecay`` of pylearn2).

    Args:
        decay: :math:`d`, divisor of the number after each batch.
        batch: :math:`b`, number of images in a batch.
        floor: :math:`f_0`, smallest factor.
    """

    decay: float
    batch: int
    floor: float

    def __post_init__(self) -> None:
        _require_positive("batch", self.batch)

    def __call__(self, images_seen: int) -> float:
        """Return the factor in [0, 1] after ``images_seen`` images."""
        return max(self.floor, self.decay ** (-images_seen / self.batch))


@final
@dataclass(frozen=True)
class WarmUp(Factor):
    r""":math:`f(s) = \min(1, s / S)`, a linear increase from 0 to the value in the config.

    Reference: Bowman et al. 2016, section 3.1, https://arxiv.org/abs/1511.06349 (the weight of the KL); linear as in
    Sønderby et al. 2016, section 2.3, https://arxiv.org/abs/1602.02282.

    Args:
        images: :math:`S`, images after which the number has its value in the config; positive.
    """

    images: int

    def __post_init__(self) -> None:
        _require_positive("images", self.images)

    def __call__(self, images_seen: int) -> float:
        """Return the factor in [0, 1] after ``images_seen`` images."""
        return min(images_seen / self.images, 1.0)


@final
@dataclass(frozen=True)
class Ramp(Schedule):
    r""":math:`v(s) = v_0 + \min(s / S, 1) (v_1 - v_0)`, which replaces the value in the config.

    Reference: ``MomentumAdjustor`` of pylearn2, with which Goodfellow et al. 2014 raise the momentum.

    Args:
        start: :math:`v_0`, a number, or several such as Adam's betas.
        end: :math:`v_1`, as many numbers as ``start``.
        images: :math:`S`, images after which the end is reached; positive.

    Raises:
        ValueError: ``images`` is not positive, or ``start`` and ``end`` have different lengths.
    """

    start: Any
    end: Any
    images: int

    def __post_init__(self) -> None:
        _require_positive("images", self.images)
        if _length(self.start) != _length(self.end):
            raise ValueError(f"start and end: got {self.start} and {self.end}, expected as many numbers in both")

    def value(self, base: Any, images_seen: int) -> Any:
        """Return the number after ``images_seen`` images; ``base`` is not used."""
        share = min(images_seen / self.images, 1.0)
        if isinstance(self.start, Sequence):
            return [a + share * (b - a) for a, b in zip(self.start, self.end, strict=True)]
        return self.start + share * (self.end - self.start)


def _length(value: Any) -> int | None:
    """Return the length of a sequence; None for a single number."""
    return len(value) if isinstance(value, Sequence) else None
