"""3D Shapes: 480,000 colour images of 64x64, every combination of three hues, size, shape and orientation once.

The file is 3dshapes.h5, with the data sets ``images`` and ``labels`` (the value of each factor). It is read by h5py,
the extra ``shapes3d``.

Reference: Burgess and Kim 2018, https://github.com/google-deepmind/3d-shapes
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.hold_out import three_splits
from ganvas.data.source import DataError, Examples, KnownFactor, Source, TensorExamples, require_file, require_shape

NAMES: Final = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
SHAPES: Final = ("cube", "cylinder", "sphere", "capsule")
_CHUNK: Final = 1 << 20


@final
class Hdf5Examples(Examples):
    """Images that are read from the file at every access.

    Args:
        path: path of the ``.h5`` file.
        places: rows of this split.
        shape: ``(c, h, w)``.
        labels: class of each example of the split.
        factors: value of each example of the split in each factor.
        digest: SHA-256 of the file.
    """

    def __init__(
        self,
        path: Path,
        places: Int64[Tensor, " n"],
        shape: tuple[int, ...],
        labels: Int64[Tensor, " n"],
        factors: Int64[Tensor, "n f"],
        digest: str,
    ) -> None:
        self.path, self.places, self.shape = path, places, shape
        self.labels, self.factors = labels, factors
        self.in_memory = False
        self._digest = digest

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`; opens the file, so that workers need no open one."""
        rows, order = self.places[index].unique(return_inverse=True)  # h5py takes rising rows, each once
        with _opened(self.path) as file:
            images = torch.from_numpy(file["images"][rows.numpy()])
        return images[order].permute(0, 3, 1, 2).contiguous()

    def fingerprint(self) -> str:
        """Hash the file's bytes and the rows of the split."""
        digest = hashlib.sha256(f"{self._digest} {len(self)}\n".encode())
        digest.update(self.places.numpy().data)
        return digest.hexdigest()


@final
class Shapes3D(Source):
    """The published 3D Shapes file, split at random, but always in the same way; the classes are the shapes.

    Args:
        name: see :class:`~ganvas.data.source.Source`.
        shape: ``(3, 64, 64)``.
        path: path of the ``.h5`` file.
        val: number of images held out for validation.
        test: number of images held out for testing; chosen before ``val``, so that ``val`` does not change the test
            split.
        memory_limit_gb: size of the largest split that is kept in memory, in 10^9 bytes; a larger one is read at every
            access, which is slow.

    Raises:
        DataError: h5py is not installed, the file is missing or is another one, or the images have another shape.
    """

    classes = SHAPES

    def __init__(self, name: str, shape: Sequence[int], path: str, val: int, test: int, memory_limit_gb: float) -> None:
        super().__init__(name, shape)
        self.path, self.memory_limit_gb = Path(path), memory_limit_gb
        self.place = self.path.absolute()
        with _opened(self.path) as file:
            n, *sides = _shape_of_images(self.path, file)
            labels = np.asarray(file["labels"])
        require_shape(name, shape, (3, *sides))
        self._kinds, self._values, counts = _numbered(self.path, labels, n)
        self._varying = [column for column, count in enumerate(counts) if count > 1]
        self.factors = tuple(KnownFactor(NAMES[i], counts[i], NAMES[i] != "shape") for i in self._varying)
        self._places = three_splits(n, val, test)

    @property
    def splits(self) -> tuple[str, ...]:
        """See :class:`~ganvas.data.source.Source`."""
        return tuple(split for split, places in self._places.items() if len(places))

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while part := file.read(_CHUNK):
                digest.update(part)
        return digest.hexdigest()

    def _load(self, split: str) -> Examples:
        places = self._places[split]
        factors = self._values[places][:, self._varying].contiguous()
        held = Hdf5Examples(self.path, places, self.shape, self._kinds[places], factors, self._digest)
        if len(held) * int(np.prod(self.shape)) > self.memory_limit_gb * 1e9:
            return held
        images = held.batch(torch.arange(len(held)))
        return TensorExamples(images, held.labels, held.fingerprint(), factors)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the file; DataError if it cannot be read."""
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            "data=shapes3d reads an .h5 file by h5py, which is not installed; pip install 'ganvas[shapes3d]'."
        ) from error
    require_file(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise DataError(f"path={path}: cannot be read ({error}); set data.path to 3dshapes.h5.") from error


def _shape_of_images(path: Path, file: Any) -> tuple[int, ...]:
    """Return number, height and width of the images; DataError for a file of something else."""
    if not {"images", "labels"} <= set(file):
        raise DataError(f"path={path}: holds {', '.join(file) or 'nothing'}, expected images and labels (3dshapes.h5).")
    images = file["images"]
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise DataError(f"path={path}: images are {images.dtype} of shape {images.shape}, expected uint8 (n, h, w, 3).")
    return tuple(images.shape[:3])


def _numbered(path: Path, labels: np.ndarray, n: int) -> tuple[Tensor, Tensor, list[int]]:
    """Number the values of each factor from 0, in their order; return shapes, numbers, and how many there are."""
    if labels.shape != (n, len(NAMES)):
        raise DataError(f"path={path}: labels of shape {labels.shape}, expected {(n, len(NAMES))}: {', '.join(NAMES)}.")
    kinds = torch.from_numpy(labels[:, NAMES.index("shape")]).long()
    if int(kinds.min()) < 0 or int(kinds.max()) >= len(SHAPES):
        raise DataError(f"path={path}: other shapes than 0 to {len(SHAPES) - 1}; it is not 3dshapes.h5.")
    numbers = [np.unique(column, return_inverse=True)[1] for column in labels.T]
    values = torch.from_numpy(np.stack(numbers, axis=1).astype(np.int64))
    return kinds, values, (values.max(0).values + 1).tolist()
