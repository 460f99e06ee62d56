"""Examples from image files: decoded into memory if they fit, else on access, in the same order."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ganvas.data.source import DataError, Examples, TensorExamples, require_file
from ganvas.data.sources.decoding import Decoder


@final
class FileExamples(Examples):
    """Image files that are decoded at every access.

    Args:
        root: folder of the files.
        names: paths relative to ``root``, in the order of the examples.
        decoder: decodes one file into an array.
        labels: class of each file by its name; None where there are no classes.
    """

    def __init__(
        self, root: Path, names: Sequence[str], decoder: Decoder, labels: Mapping[str, int] | None = None
    ) -> None:
        self.root, self.names, self.decoder = root, tuple(names), decoder
        self.shape = decoder.shape
        self.labels = None if labels is None else torch.tensor([labels[name] for name in self.names])
        self.in_memory = False
        self._digest: str | None = None

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, name: str) -> UInt8[np.ndarray, "c h w"]:
        """Decode one image.

        Raises:
            DataError: the file cannot be decoded.
        """
        return self.decoder(self.root / name)

    def batch(self, index: Int64[Tensor, " n"]) -> UInt8[Tensor, "n c h w"]:
        """See :meth:`~ganvas.data.source.Examples.batch`; decodes."""
        images = np.empty((len(index), *self.shape), dtype=np.uint8)
        for row, position in enumerate(index.tolist()):
            images[row] = self.decode(self.names[position])
        return torch.from_numpy(images)

    def fingerprint(self) -> str:
        """Hash the preprocessing and every file's bytes, in order, at the first call.

        It hashes bytes and not pixels, because reading a large tree takes seconds and decoding it takes minutes, and
        because JPEG decoders may differ by a grey level between machines.
        """
        if self._digest is None:
            digest = hashlib.sha256(f"{self.decoder!r} {len(self)}\n".encode())
            for name in self.names:
                require_file(self.root / name)
                digest.update(hashlib.sha256((self.root / name).read_bytes()).digest())
            self._digest = digest.hexdigest()
        return self._digest


def open_files(
    root: Path,
    names: Sequence[str],
    decoder: Decoder,
    *,
    skip_corrupt: bool,
    memory_limit_gb: float,
    labels: Mapping[str, int] | None = None,
) -> Examples:
    """Open image files as one tensor if it fits, else decoded on access; the fingerprint is the same.

    Args:
        root: folder of the files.
        names: paths relative to ``root``, in the order of the examples.
        decoder: decodes one file into an array.
        skip_corrupt: whether to decode every file once beforehand and leave out, with a warning, those that fail.
        memory_limit_gb: size of the largest tensor that is kept in memory, in 10^9 bytes.
        labels: class of each file by its name; None where there are no classes.

    Raises:
        DataError: a file is corrupt and ``skip_corrupt`` is false; names the first one.
    """
    files = FileExamples(root, _readable(root, names, decoder) if skip_corrupt else names, decoder, labels)
    if len(files) * math.prod(files.shape) > memory_limit_gb * 1e9:
        return files
    images = np.empty((len(files), *files.shape), dtype=np.uint8)
    with ThreadPoolExecutor() as pool:
        for row, image in enumerate(pool.map(files.decode, files.names)):
            images[row] = image
    return TensorExamples(torch.from_numpy(images), files.labels, digest=files.fingerprint())


def _readable(root: Path, names: Sequence[str], decoder: Decoder) -> list[str]:
    """Select the files that can be decoded; one warning names the others."""
    with ThreadPoolExecutor() as pool:
        good = list(pool.map(lambda name: _decodes(decoder, root / name), names))
    bad = [name for name, ok in zip(names, good, strict=True) if not ok]
    if bad:
        warnings.warn(f"{root}: {len(bad)} corrupt image(s) left out: {', '.join(bad)}", stacklevel=3)
    return [name for name, ok in zip(names, good, strict=True) if ok]


def _decodes(decoder: Decoder, path: Path) -> bool:
    try:
        decoder(path)
    except DataError:
        return False
    return True
