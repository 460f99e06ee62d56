"""Images that are scored: folders as they are or brought to one size, and the classes of folders and array files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from jaxtyping import Int64
from PIL import Image
from torch import Tensor

from ganvas.data.source import DataError, Examples, require_file
from ganvas.data.sources.decoding import FORMATS, RESIZE, Decoder, sides
from ganvas.data.sources.files import open_files
from ganvas.data.sources.folder import class_names, image_names
from ganvas.data.sources.npz import read_labels

GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16B"})
SAMPLES: Final = "samples.npz"
"""Name of the array that ``ganvas sample`` writes, beside a picture of some of its images."""
MEMORY_LIMIT_GB = 4.0
"""Size above which files are decoded on access, in 10^9 bytes."""


@final
@dataclass(frozen=True)
class Fit:
    """How images of any size are brought to one.

    Args:
        size: length of both sides, or height and width, in pixels.
        resize: name of a rule, ``center_crop`` or ``stretch``; see :mod:`ganvas.data.sources.decoding`.
        channels: 1 (grey) or 3 (RGB); None takes those of the files.

    Raises:
        DataError: there is no such rule.
    """

    size: int | Sequence[int]
    resize: str
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.resize not in RESIZE:
            raise DataError(f"resize={self.resize}: must be one of {', '.join(RESIZE)}.")


def array_of(name: str) -> str:
    """Name the array in a folder that ``ganvas sample`` wrote, not the picture beside it; return other names as given.

    Args:
        name: a path, or the name of something else.
    """
    drawn, result = Path(name) / SAMPLES, Path(name) / "result.json"  # a folder of images has no result
    return str(drawn) if drawn.is_file() and result.is_file() else name


def read_folder(root: Path, fit: Fit | None = None) -> Examples:
    """Open all images of a tree, in the order of their paths.

    Args:
        root: root of the tree.
        fit: size and number of channels to bring the images to; None leaves them as they are: grey if every file is
            grey, else RGB.

    Raises:
        DataError: there is no image, one cannot be read, or sizes differ and there is no ``fit``.
    """
    names = image_names(root)
    found = {_header(root / name): name for name in names}  # one entry for each kind, not for each of many files
    of_files = 1 if all(mode in GREY_MODES for _, mode in found) else 3
    sizes = {size: name for (size, _), name in found.items()}
    channels = of_files if fit is None or fit.channels is None else fit.channels
    if fit is None or {sides(fit.size)} == {(height, width) for width, height in sizes}:
        # Nothing is resized: one spelling of the decoder, whose repr is in the fingerprint, whatever the rule.
        decoder = Decoder(channels=channels, size=_only(root, sizes), resize=RESIZE["stretch"])
    else:
        decoder = Decoder(channels=channels, size=fit.size, resize=RESIZE[fit.resize])
    return open_files(root, names, decoder, skip_corrupt=False, memory_limit_gb=MEMORY_LIMIT_GB)


def read_classes(path: Path, n: int) -> tuple[Int64[Tensor, " n"], tuple[str, ...] | None] | None:
    """Read the classes of scored images: the array ``labels`` of an array file, or the sub-folders of a folder.

    Args:
        path: the array file or the folder.
        n: number of images.

    Returns:
        The class of each image, and the names of the classes, or None where they are only numbered. None if the images
        have no classes.

    Raises:
        DataError: the labels of an array file are not ``n`` integers from 0.
    """
    if not path.is_dir():
        labels = read_labels(path, n)
        return None if labels is None else (labels, None)
    below = [name.split("/")[:-1] for name in image_names(path)]
    names = class_names(below)
    number = {name: position for position, name in enumerate(names or ())}
    return None if names is None else (torch.tensor([number[folders[0]] for folders in below]), names)


def _only(root: Path, sizes: dict[tuple[int, int], str]) -> tuple[int, int]:
    """Height and width that all images have."""
    if len(sizes) > 1:
        (a, first), (b, second) = list(sizes.items())[:2]
        raise DataError(
            f"{root}: images of different sizes, {first} is {a[0]}x{a[1]} and {second} {b[0]}x{b[1]}; write size=64 to "
            "bring them to 64x64 pixels, or size=[height,width], and resize=center_crop (keeps proportions) or "
            "resize=stretch"
        )
    width, height = next(iter(sizes))
    return height, width


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """Read size and mode of one file without decoding it."""
    require_file(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.size, image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a readable image ({type(error).__name__}: {error}); mend or delete it") from error
