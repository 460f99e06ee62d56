"""Images of a useless generator, which calibrate scores: uniform noise, or images of one class."""

from __future__ import annotations

import torch
from jaxtyping import UInt8
from torch import Tensor

from ganvas.data.source import TensorExamples
from ganvas.extractors.features import Features
from ganvas.metrics.base import Material
from ganvas.scoring.cache import Part
from ganvas.types import Shape


def uniform_noise(n: int, shape: Shape, seed: int) -> UInt8[Tensor, "n c h w"]:
    """Draw images with independent, uniform pixels.

    Args:
        n: number of images.
        shape: ``(c, h, w)``.
        seed: seed of the pixels; the global random state is not used.

    Returns:
        ``uint8`` in [0, 255].
    """
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def worst_images(material: Material) -> Part:
    """Choose the images of the ceiling: noise, or images of one class.

    Args:
        material: its ``ceiling`` is ``noise`` or ``one_mode``.
    """
    seed = material.settings.seed
    if material.ceiling == "one_mode":
        examples, index, label = material.one_mode()
        return Part(examples, index, f"class {label}, drawn with seed {seed}")
    images = TensorExamples(uniform_noise(material.n_stand_ins, material.shape, seed))
    return Part(images, torch.arange(material.n_stand_ins), "uniform noise")


def as_many(worst: Features, n: int, seed: int) -> Features:
    """Draw ``n`` images: each at most once, or with replacement if there are fewer, as a collapsed generator repeats.

    Args:
        worst: features of the images of the ceiling.
        n: number of images, at least 1.
        seed: seed of the draw; the global random state is not used.
    """
    generator = torch.Generator().manual_seed(seed)
    if n <= worst.n:
        return worst.take(torch.randperm(worst.n, generator=generator)[:n])
    return worst.take(torch.randint(worst.n, (n,), generator=generator))
