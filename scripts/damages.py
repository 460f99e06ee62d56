"""Damages to ``uint8`` images ``(n, c, h, w)``, whose effects on scores the scripts beside this file measure."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.transforms.functional import gaussian_blur

Damage = Callable[[Tensor], Tensor]


def blurred(sd: float) -> Damage:
    """Gaussian blur of a standard deviation in pixels."""
    return lambda images: gaussian_blur(images, [8 * max(1, int(sd)) + 1] * 2, [sd, sd])


def noisy(sd: float) -> Damage:
    """Gaussian noise of a standard deviation in levels of 255, the same for all images of a run."""

    def damage(images: Tensor) -> Tensor:
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
        return _levels(images + sd * noise)

    return damage


def compressed(quality: int) -> Damage:
    """JPEG of a quality, with Pillow's other settings."""

    def one(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    def damage(images: Tensor) -> Tensor:
        pixels = images.permute(0, 2, 3, 1).numpy()
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        found = torch.from_numpy(np.stack([one(image) for image in pixels]))
        return (found[..., None] if found.ndim == 3 else found).permute(0, 3, 1, 2).contiguous()

    return damage


def resized(share: float, mode: str, antialias: bool) -> Damage:
    """Shrink to a share of the sides and enlarge again, both by one method of :func:`torch.nn.functional.interpolate`.

    Args:
        share: sides of the small image as a share of the large one's, in (0, 1).
        mode: ``nearest``, ``bilinear`` or ``bicubic``.
        antialias: whether pixels that fall between those of the small image are averaged in; not for ``nearest``.
    """

    def damage(images: Tensor) -> Tensor:
        small = [round(side * share) for side in images.shape[-2:]]
        shrunk = interpolate(images.float(), small, mode=mode, antialias=antialias)
        return _levels(interpolate(shrunk, images.shape[-2:], mode=mode, antialias=antialias))

    return damage


def shifted(pixels: int) -> Damage:
    """Move the image to the right; the border's pixels are repeated."""
    return lambda images: torch.cat([images[..., :1].expand(*images.shape[:-1], pixels), images[..., :-pixels]], -1)


def _levels(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)
