"""Folders of images that are scored without cropping or resizing; all images have one size."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ganvas.data.source import DataError, Examples, require_file
from ganvas.data.sources.decoding import FORMATS, RESIZE, Decoder
from ganvas.data.sources.files import open_files
from ganvas.data.sources.folder import image_names

GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16B"})
MEMORY_LIMIT_GB = 4.0
"""Size above which files are decoded on access, in 10^9 bytes."""


def read_folder(root: Path) -> Examples:
    """Open all images of a tree, in the order of their paths; grey if every file is grey, else RGB.

    Args:
        root: root of the tree.

    Raises:
        DataError: there is no image, one cannot be read, or sizes differ.
    """
    names = image_names(root)
    found = [_header(root / name) for name in names]
    sizes = {size: name for name, (size, _) in zip(names, found, strict=True)}
    if len(sizes) > 1:
        (a, first), (b, second) = list(sizes.items())[:2]
        raise DataError(
            f"{root}: images of different sizes, {first} is {a[0]}x{a[1]} and {second} {b[0]}x{b[1]}; bring them to one"
        )
    width, height = next(iter(sizes))
    channels = 1 if all(mode in GREY_MODES for _, mode in found) else 3
    decoder = Decoder(channels=channels, size=(height, width), resize=RESIZE["stretch"])
    return open_files(root, names, decoder, skip_corrupt=False, memory_limit_gb=MEMORY_LIMIT_GB)


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """Read size and mode of one file without decoding it."""
    require_file(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.size, image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({type(error).__name__}: {error}); mend or delete it") from error
