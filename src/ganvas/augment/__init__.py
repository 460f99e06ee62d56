"""Augmentations: random transformations of real and generated examples alike, before a critic sees them."""

from __future__ import annotations

from ganvas.augment.ada import ADA
from ganvas.augment.base import Augmentation, ImageAugmentation
from ganvas.augment.diffaugment import DiffAugment
from ganvas.augment.flip import Flip
from ganvas.augment.instance_noise import InstanceNoise
from ganvas.augment.strength import Strength
from ganvas.augment.unaugmented import Unaugmented

__all__ = [
    "ADA",
    "Augmentation",
    "DiffAugment",
    "Flip",
    "ImageAugmentation",
    "InstanceNoise",
    "Strength",
    "Unaugmented",
]
