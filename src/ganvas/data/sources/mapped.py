"""Images of an array file that is large: the file is mapped, and each batch reads its own part of it.

An ``.npy`` file and a member of an ``.npz`` file that is not compressed are read in place. A compressed member is first
unpacked to a temporary file, which is deleted when the process ends.
"""

from __future__ import annotations

import math
import shutil
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.source import DataError, Examples, TensorExamples, content_hash
from ganvas.data.sources.npz import read_images, stored_images

HELD_GB: Final = 0.5
"""Size above which the images of an array file are read from the file and not held, in 10^9 bytes."""
_LOCAL_HEADER: Final = 30
"""Number of bytes before the name of a member of a zip archive; the lengths of name and extra field end them."""


@final
@dataclass(frozen=True)
class Place:
    """Where an array of ``uint8`` lies in a file.

    Args:
        path: path of the file.
        start: position of the first value, in bytes.
        shape: ``(n, h, w)`` or ``(n, h, w, c)``.
        order: ``C`` or ``F``, NumPy's names for the order of the values.
    """

    path: str
    start: int
    shape: tuple[int, ...]
    order: str


@final
class MappedExamples(Examples):
    """Images of an array that is mapped from a file.

    Args:
        place: where the array lies.
        file: a temporary file that is deleted with these examples; None for a file of the user.
    """

    labels = None
    in_memory = True

    def __init__(self, place: Place, file: Any = None) -> None:
        order: Any = place.order
        array = np.memmap(place.path, np.uint8, "r", place.start, place.shape, order)
        self._array = array[..., None] if array.ndim == 3 else array
        self.shape = (self._array.shape[3], *self._array.shape[1:3])
        self._place, self._file = place, file
        self._digest: str | None = None

    def __len__(self) -> int:
        return len(self._array)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`; reads the file."""
        return torch.from_numpy(np.ascontiguousarray(self._array[index.numpy()].transpose(0, 3, 1, 2)))

    def fingerprint(self) -> str:
        """See :meth:`~ganvas.data.source.Examples.fingerprint`; it is that of the same images in memory."""
        if self._digest is None:
            self._digest = content_hash(self)
        return self._digest

    def __reduce__(self) -> Any:
        """Let another process map the same file, while this one keeps it."""
        return MappedExamples, (self._place,)


def open_images(path: Path) -> Examples:
    """Open the images of an array file: in memory if they are small, else mapped from the file.

    Args:
        path: an ``.npz`` or ``.npy`` file, see :mod:`ganvas.data.sources.npz`.

    Raises:
        DataError: the file does not exist, or has no such array.
    """
    member, shape = stored_images(path)
    if math.prod(shape) <= HELD_GB * 1e9:
        return TensorExamples(torch.from_numpy(read_images(path)))
    try:
        return _mapped(path, member)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"path={path}: corrupt NumPy file ({error}); save it again.") from error


def _mapped(path: Path, member: str | None) -> MappedExamples:
    with path.open("rb") as file:
        if member is None:
            return MappedExamples(_place(file))
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo(member)
            if info.compress_type != zipfile.ZIP_STORED:
                with archive.open(info) as packed:
                    return _unpacked(packed)
            file.seek(info.header_offset)
            name, extra = struct.unpack("<HH", file.read(_LOCAL_HEADER)[-4:])
            file.seek(info.header_offset + _LOCAL_HEADER + name + extra)
            return MappedExamples(_place(file))


def _unpacked(packed: Any) -> MappedExamples:
    unpacked = tempfile.NamedTemporaryFile(prefix="ganvas-images-")  # noqa: SIM115  # lives as long as the examples
    shutil.copyfileobj(packed, unpacked, 2**20)
    unpacked.seek(0)
    return MappedExamples(_place(unpacked.file), unpacked)


def _place(file: IO[bytes]) -> Place:
    """Find the values of the array whose header begins where the file stands; its type is already checked."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, _ = readers[version](file)
    return Place(str(file.name), file.tell(), shape, "F" if fortran else "C")
