"""Decoding of image files into arrays of one size and one number of channels.

The steps, in this order: take the first frame; rotate it as EXIF says; divide 16-bit grey by 257 (65535 becomes 255);
put transparent images on white; convert to grey (luma of ITU-R 601) or RGB (grey replicated); bring it to the wanted
size by the chosen rule, with Pillow's Lanczos filter, which smooths before it samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from ganvas.data.source import DataError, require_file

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")


class Resize(ABC):
    """A rule that brings an image of any size to another size."""

    @abstractmethod
    def __call__(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Bring an image to ``width`` times ``height`` pixels."""


@final
@dataclass(frozen=True)
class CenterCrop(Resize):
    """Resize until one side fits and the other is too long, then cut its ends: keeps proportions."""

    def __call__(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Apply the rule."""
        scale = max(width / image.width, height / image.height)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        return _middle(image, width, height)


@final
@dataclass(frozen=True)
class Stretch(Resize):
    """Resize both sides: loses nothing, changes proportions."""

    def __call__(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Apply the rule."""
        return image.resize((width, height), Image.Resampling.LANCZOS)


@final
@dataclass(frozen=True)
class CropThenResize(Resize):
    """Cut the middle square of ``side`` pixels, then resize it.

    Args:
        side: side of the square, in pixels of the original.
    """

    side: int

    def __call__(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """Apply the rule."""
        return _middle(image, self.side, self.side).resize((width, height), Image.Resampling.LANCZOS)


def _middle(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


RESIZE: dict[str, Resize] = {"center_crop": CenterCrop(), "stretch": Stretch()}


@final
@dataclass(frozen=True)
class Decoder:
    """Decodes image files; its ``repr`` states the preprocessing and enters the fingerprint.

    Args:
        channels: 1 (grey) or 3 (RGB).
        size: length of both sides, or height and width, in pixels.
        resize: rule for images of another size.
        changed: hashes of the paths of files that were ``resized`` or had an ``alpha`` channel; filled by decoding.

    Raises:
        DataError: an argument out of range.
    """

    channels: int
    size: int | Sequence[int]
    resize: Resize
    changed: dict[str, set[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise DataError(f"channels={self.channels}: must be 1 (grey) or 3 (RGB).")
        height, width = sides(self.size)
        # One spelling for one preprocessing: the fingerprint holds it.
        object.__setattr__(self, "size", height if height == width else (height, width))
        if min(height, width) < 1:
            raise DataError(f"size={self.size}: must be at least 1 pixel.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a decoded image."""
        return (self.channels, *sides(self.size))

    def __call__(self, path: Path) -> UInt8[np.ndarray, "c h w"]:
        """Decode one file.

        Raises:
            DataError: the file is missing, corrupt or of an unsupported kind.
        """
        require_file(path)
        try:
            with Image.open(path, formats=FORMATS) as opened:
                plain = _eight_bit(ImageOps.exif_transpose(opened))
                image = _over_white(plain).convert("L" if self.channels == 1 else "RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{path}: not a readable image ({type(error).__name__}: {error}). "
                "Delete or mend it, or set data.skip_corrupt=true to leave such files out."
            ) from error
        _, height, width = self.shape
        if plain.has_transparency_data:
            self.changed.setdefault("alpha", set()).add(hash(path))
        if image.size != (width, height):
            self.changed.setdefault("resized", set()).add(hash(path))
            image = self.resize(image, width, height)
        return np.asarray(image).reshape(height, width, self.channels).transpose(2, 0, 1)


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of a size.

    Args:
        size: length of both sides, or height and width.

    Raises:
        DataError: a list of another length.
    """
    if isinstance(size, int):
        return size, size
    if len(size) != 2:
        raise DataError(f"size={list(size)}: must be one number, or height and width, for example [24, 16].")
    return size[0], size[1]


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels have no stated range; save the image with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit pixels outside [0, 65535]; save the image with 8 or 16 bits")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
