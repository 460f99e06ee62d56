"""dSprites: 737,280 binary images of 64x64, every combination of shape, scale, orientation and position once.

The file is dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz, with the arrays ``imgs`` (0 and 1) and ``latents_classes``
(the value of each factor, by its number). Images are kept as bits, eight pixels in a byte: 0.4 GB instead of 3 GB.

Reference: Matthey et al. 2017, https://github.com/google-deepmind/dsprites-dataset
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.hold_out import three_splits
from ganvas.data.source import DataError, Examples, KnownFactor, Source, require_file, require_shape
from ganvas.data.sources.npz import read_header

IMAGES, VALUES = "imgs.npy", "latents_classes.npy"
NAMES: Final = ("color", "shape", "scale", "orientation", "posX", "posY")
SHAPES: Final = ("square", "ellipse", "heart")
KINDS: Final = ("color", "shape")
_CHUNK: Final = 8192


@final
class BitExamples(Examples):
    """Black and white images, kept as bits.

    Args:
        bits: all images of a file, one row of bytes each.
        places: rows of this split.
        shape: ``(1, h, w)``.
        labels: class of each example of the split.
        factors: value of each example of the split in each factor.
    """

    def __init__(
        self,
        bits: UInt8[np.ndarray, "_ b"],
        places: Int64[Tensor, " n"],
        shape: tuple[int, ...],
        labels: Int64[Tensor, " n"],
        factors: Int64[Tensor, "n f"],
    ) -> None:
        self.bits, self.places, self.shape = bits, places, shape
        self.labels, self.factors = labels, factors
        self.in_memory = True

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`; bits become 0 and 255."""
        pixels = self.shape[1] * self.shape[2]
        rows = np.unpackbits(self.bits[self.places[index].numpy()], axis=1, count=pixels)
        return torch.from_numpy(rows).mul_(255).view(-1, *self.shape)

    def fingerprint(self) -> str:
        """Hash shape and bits."""
        digest = hashlib.sha256(f"bits {(len(self), *self.shape)}\n".encode())
        for places in self.places.split(_CHUNK):
            digest.update(np.ascontiguousarray(self.bits[places.numpy()]).data)
        return digest.hexdigest()


@final
class DSprites(Source):
    """The published dSprites file, split at random, but always in the same way.

    The classes are the shapes. A factor with one value, such as the colour, is none: it does not vary.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(1, 64, 64)``.
        path: path of the ``.npz`` file.
        val: number of images held out for validation.
        test: number of images held out for testing; chosen before ``val``, so that ``val`` does not change the test
            split.

    Raises:
        DataError: the file is missing or is another one, or the images have another shape.
    """

    classes = SHAPES

    def __init__(self, name: str, shape: Sequence[int], path: str, val: int, test: int) -> None:
        super().__init__(name, shape)
        self.path = Path(path)
        self.place = self.path.absolute()
        n, *sides = _shape_of_images(self.path)
        require_shape(name, shape, (1, *sides))
        self._values = _read_values(self.path, n)
        self._varying = [column for column in range(len(NAMES)) if int(self._values[:, column].max())]
        counts = (self._values.max(0).values + 1).tolist()
        self.factors = tuple(KnownFactor(NAMES[i], counts[i], NAMES[i] not in KINDS) for i in self._varying)
        self._places = three_splits(n, val, test)

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split, places in self._places.items() if len(places))

    @cached_property
    def _bits(self) -> UInt8[np.ndarray, "n b"]:
        return _read_bits(self.path)

    def _load(self, split: str) -> Examples:
        places = self._places[split]
        values = self._values[places]
        labels, factors = values[:, NAMES.index("shape")].contiguous(), values[:, self._varying].contiguous()
        return BitExamples(self._bits, places, self.shape, labels, factors)


def _shape_of_images(path: Path) -> tuple[int, ...]:
    """Read number, height and width of the images from the header of their array."""
    require_file(path)
    if not zipfile.is_zipfile(path):
        missing = "there is no such file" if not path.exists() else "it is no .npz file"
        raise DataError(f"path={path}: {missing}; set data.path to the .npz file of dSprites.")
    with zipfile.ZipFile(path) as archive:
        held = archive.namelist()
        if not {IMAGES, VALUES} <= set(held):
            raise DataError(
                f"path={path}: holds {', '.join(held)}, expected {IMAGES} and {VALUES}; set data.path to the .npz file "
                "of dSprites, or write data=npz for images without factors."
            )
        with archive.open(IMAGES) as member:
            shape, dtype = read_header(path, member)
    if len(shape) != 3 or dtype != np.uint8:
        raise DataError(f"path={path}: imgs of type {dtype} and shape {shape}, expected uint8 (n, h, w).")
    return shape


def _read_values(path: Path, n: int) -> Int64[Tensor, "n 6"]:
    """Read the value of each factor, by its number."""
    with np.load(path, allow_pickle=False) as archive:
        values = archive[VALUES.removesuffix(".npy")]
    if values.shape != (n, len(NAMES)) or values.dtype.kind not in "iu" or int(values.min()) < 0:
        raise DataError(
            f"path={path}: latents_classes of type {values.dtype} and shape {values.shape}, expected whole numbers "
            f"{(n, len(NAMES))} from 0, one for each of {', '.join(NAMES)}."
        )
    values = torch.from_numpy(values.astype(np.int64))
    if int(values[:, NAMES.index("shape")].max()) >= len(SHAPES):
        raise DataError(f"path={path}: more shapes than {', '.join(SHAPES)}; it is not the file of dSprites.")
    return values


def _read_bits(path: Path) -> UInt8[np.ndarray, "n b"]:
    """Read the images part by part, each packed to bits before the next is read."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(IMAGES) as member:
            (n, height, width), _ = read_header(path, member)
            parts = []
            for start in range(0, n, _CHUNK):
                size = min(_CHUNK, n - start) * height * width
                parts.append(np.frombuffer(member.read(size), np.uint8).reshape(-1, height * width))
                if parts[-1].max() > 1:
                    raise DataError(f"path={path}: imgs up to {parts[-1].max()}, expected 0 and 1 as in dSprites.")
                parts[-1] = np.packbits(parts[-1], axis=1)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"path={path}: corrupt .npz file ({error}); download it again.") from error
    return np.concatenate(parts)
