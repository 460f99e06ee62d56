"""Images in a ``.npy`` or ``.npz`` file of NumPy, ``uint8``, ``(N, H, W)`` or ``(N, H, W, C)``, and their labels.

The images of an ``.npz`` file are the array ``images``, ``arr_0`` or ``x``, or the only one. An array ``labels`` beside
them numbers their classes from 0.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ganvas.data.hold_out import three_splits
from ganvas.data.source import DataError, Examples, Source, TensorExamples, require_file, require_shape
from ganvas.types import to_uint8

KEYS: Final = ("images", "arr_0", "x")
LABELS: Final = "labels"
MOST_CLASSES: Final = 100_000
"""Largest number of classes; a larger label is more likely an identifier than a class."""


@final
class NpzImages(Source):
    """Images of one array, split at random, but always in the same way, into train, val and test.

    Labels do not change the splits. The classes are named by their numbers.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(c, h, w)``; :func:`npz_shape` reads it from the file.
        path: path of the file.
        val: number of images held out for validation.
        test: number of images held out for testing; chosen before ``val``, so that ``val`` does not change the test
            split.

    Raises:
        DataError: the file does not exist, has no such array or bad labels, or the images have another shape.
    """

    def __init__(self, name: str, shape: Sequence[int], path: str, val: int, test: int) -> None:
        super().__init__(name, shape)
        require_shape(name, shape, npz_shape(path))
        self.path = Path(path)
        self.place = self.path.absolute()
        n = _header(self.path)[0][0]
        self._labels = read_labels(self.path, n)
        self.classes = None if self._labels is None else tuple(map(str, range(int(self._labels.max()) + 1)))
        self._index = three_splits(n, val, test)

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split, index in self._index.items() if len(index))

    @cached_property
    def _images(self) -> Tensor:
        return torch.from_numpy(read_images(self.path))

    def _load(self, split: str) -> Examples:
        index = self._index[split]
        return TensorExamples(self._images[index], None if self._labels is None else self._labels[index])


def npz_shape(path: str) -> list[int]:
    """Read the shape ``[c, h, w]`` of one image from the header of a file.

    Args:
        path: path of an ``.npz`` or ``.npy`` file with images as ``uint8``, ``(N, H, W)`` or ``(N, H, W, C)``.

    Raises:
        DataError: the file does not exist, or has no such array.
    """
    shape, _ = _header(Path(path))
    return [shape[3] if len(shape) == 4 else 1, shape[1], shape[2]]


def read_images(path: Path) -> np.ndarray:
    """Read all images, ``uint8 (n, c, h, w)``.

    Raises:
        DataError: the file does not exist, or has no such array.
    """
    _header(path)
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else loaded[_key(path, loaded.files)]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"path={path}: corrupt NumPy file ({error}); save it again.") from error
    return np.ascontiguousarray(array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2))


def stored_images(path: Path) -> tuple[str | None, tuple[int, ...]]:
    """Find the array of images without reading it.

    Returns:
        Name of its member in an ``.npz`` file, None for an ``.npy`` file; and its shape.

    Raises:
        DataError: the file does not exist, or has no such array.
    """
    shape, _ = _header(path)
    if not zipfile.is_zipfile(path):
        return None, shape
    with zipfile.ZipFile(path) as archive:
        return f"{_key(path, _members(archive))}.npy", shape


def at_rest(examples: Tensor) -> np.ndarray:
    """Convert a model's examples to an array that :func:`read_images` reads from a file.

    Args:
        examples: images in [-1, 1], or points.

    Returns:
        ``uint8`` images, channels last, and ``(n, h, w)`` for grey ones; points as they are.
    """
    if examples.ndim != 4:
        return examples.numpy()
    images = to_uint8(examples).permute(0, 2, 3, 1).numpy()
    return images[..., 0] if images.shape[-1] == 1 else images


def read_labels(path: Path, n: int) -> Int64[Tensor, " n"] | None:
    """Read the class of each image; None for a file without an array ``labels`` beside the images.

    Args:
        path: path of an ``.npz`` or ``.npy`` file.
        n: number of images.

    Raises:
        DataError: the labels are not ``n`` integers from 0.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            if LABELS not in archive.files or _key(path, archive.files) == LABELS:
                return None
            labels = archive[LABELS]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"path={path}: the array {LABELS} cannot be read ({error}); save it again.") from error
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise DataError(
            f"path={path}: {LABELS} of type {labels.dtype} and shape {labels.shape}, expected one integer for each of "
            f"the {n} images, shape ({n},); convert names by numpy.unique({LABELS}, return_inverse=True)[1]."
        )
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise DataError(
            f"path={path}: {LABELS} from {labels.min()} to {labels.max()}, expected classes numbered from 0, at most "
            f"{MOST_CLASSES:,}; number them by numpy.unique({LABELS}, return_inverse=True)[1]."
        )
    return torch.from_numpy(labels.astype(np.int64))


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and type of the array, and check that it has images."""
    require_file(path)
    if not path.exists():
        raise DataError(f"path={path}: is missing: no such file ({path.absolute()}); set data.path to an .npz or .npy.")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                key = _key(path, _members(archive))
                with archive.open(f"{key}.npy") as member:
                    return _images(path, *read_header(path, member))
        with path.open("rb") as file:
            return _images(path, *read_header(path, file))
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"path={path}: cannot be read ({error}); set data.path to an .npz or .npy file.") from error


def _members(archive: zipfile.ZipFile) -> list[str]:
    """Name the arrays of an archive."""
    return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]


def read_header(path: Path, file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and type of an array from its first bytes; the file then stands at the values.

    Args:
        path: for the message.
        file: an open ``.npy`` file, or such a member of an ``.npz`` file.

    Raises:
        DataError: it is no array of NumPy.
    """
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = readers[version](file)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"path={path}: not a NumPy array ({error}); save images with numpy.savez(path, images=array)."
        ) from error
    return shape, dtype


def _key(path: Path, names: Sequence[str]) -> str:
    others = [name for name in names if name != LABELS] or list(names)
    found = [key for key in KEYS if key in names] or (others if len(others) == 1 else [])
    if not found:
        raise DataError(
            f"path={path}: holds the arrays {', '.join(names) or '(none)'}; "
            f"save the images under one of {', '.join(KEYS)}, or alone (the array {LABELS} may stand beside them)."
        )
    return found[0]


def _images(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> tuple[tuple[int, ...], np.dtype]:
    if dtype != np.uint8:
        raise DataError(
            f"path={path}: images of type {dtype}, expected uint8 in [0, 255]; convert them by "
            "numpy.clip(numpy.round(255 * x), 0, 255).astype('uint8') if x lies in [0, 1], "
            "or 127.5 * (x + 1) instead of 255 * x if it lies in [-1, 1]."
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)) or 0 in shape:
        raise DataError(
            f"path={path}: array of shape {shape}, expected (N, H, W) or (N, H, W, C) with C 1 or 3 and N at least 1; "
            "from channels first use x.transpose(0, 2, 3, 1)."
        )
    return shape, dtype
