r"""Features of many images: extracted by one process or several, and kept in files in the place of memory.

Each process extracts its own part of the images and writes its rows into one file of features (and one of logits),
which is then mapped into memory. Parts begin where a batch of one process would begin, so that the file has the same
bits for any number of processes with equally many threads.

In the files of large sets a number is a float16, :math:`x (1 + \delta)` with :math:`|\delta| \le 2^{-11}`: half the
memory and half the disk of float32. A score moves in its fourth digit or later.
"""

from __future__ import annotations

import math
import multiprocessing
import pickle
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import torch
from torch import Tensor

from ganvas.display import counted
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features, extract
from ganvas.extractors.images import Images

VALUES, LOGITS = "values.npy", "logits.npy"
_MOST: Final = torch.finfo(torch.float16).max


@final
@dataclass(frozen=True)
class Extraction:
    """How features are extracted and kept.

    Args:
        batch_size: images in one forward pass.
        on_disk: the features of more images than this are kept in files, in float16; None keeps all in memory.
        processes: number of processes that share the images.
    """

    batch_size: int
    on_disk: int | None = None
    processes: int = 1

    def halves(self, n: int) -> bool:
        """Whether the features of ``n`` images are kept in files, in float16."""
        return self.on_disk is not None and n > self.on_disk


def extracted(extractor: Extractor, images: Images, how: Extraction, what: str, folder: Path | None) -> Features:
    """Extract the features of a set of images.

    Args:
        extractor: extractor of the features.
        images: at least one image.
        how: size of a batch, place and number of processes.
        what: what is counted in the display, with a verb.
        folder: existing folder on a disk for the files; None takes the system's folder of temporary files.

    Returns:
        Features in memory, or of more images than ``how.on_disk`` in files, which are deleted with the features.

    Raises:
        ValueError: a feature is too large for float16, or extractor or images cannot be sent to another process.
    """
    if not how.halves(len(images)) and how.processes == 1:
        batches = images.batches(0, len(images), how.batch_size)
        return extract(extractor, counted(what, batches, len(images)), how.batch_size)
    with tempfile.TemporaryDirectory(prefix="features-", dir=folder, ignore_cleanup_errors=True) as place:
        write_features(extractor, images, how, what, Path(place))
        return read_features(Path(place), extractor, images.shape)  # a mapped file outlives its name


def read_features(folder: Path, extractor: Extractor, shape: tuple[int, ...] | None) -> Features:
    """Map the files that :func:`write_features` wrote; those of float32 are read into memory.

    Args:
        folder: folder of the files.
        extractor: extractor of the features.
        shape: ``(c, h, w)`` of the images.
    """
    logits = _mapped(folder / LOGITS) if (folder / LOGITS).exists() else None
    return Features(_mapped(folder / VALUES), logits, extractor.name, extractor.weights_hash, shape)


def _mapped(path: Path) -> Tensor:
    # Mode c: a private copy of the pages that are written to, as torch knows no tensors that cannot be written.
    found = np.load(path, mmap_mode="c", allow_pickle=False)
    return torch.from_numpy(found if found.dtype == np.float16 else np.array(found))


def write_features(extractor: Extractor, images: Images, how: Extraction, what: str, folder: Path) -> None:
    """Write the features of a set of images to files in a folder.

    Args:
        extractor: see :func:`extracted`.
        images: see :func:`extracted`.
        how: see :func:`extracted`.
        what: see :func:`extracted`.
        folder: an existing, empty folder.
    """
    n, kind = len(images), np.float16 if how.halves(len(images)) else np.float32
    for name, width in ((VALUES, extractor.num_features), (LOGITS, extractor.num_classes)):
        if width is not None:
            np.lib.format.open_memmap(folder / name, "w+", kind, (n, width)).flush()
    task = _Task(extractor, images, how.batch_size, folder, extractor.device)
    if how.processes == 1:
        task.run(0, n, lambda batches: counted(what, batches, n))
        return
    sent = folder / "task.pt"
    _send(task, sent, how.processes)
    threads = max(1, torch.get_num_threads() // how.processes)
    spawn = multiprocessing.get_context("spawn")  # a fork would copy locks that threads of torch may hold
    shares = parts(n, how, images.together)
    try:
        with ProcessPoolExecutor(len(shares), spawn, _receive, (str(sent), threads)) as pool:
            for done in [pool.submit(_run, *share) for share in shares]:
                done.result()
    except BrokenProcessPool as error:
        raise ValueError(
            f"processes={how.processes}: a process ended before its images were done; it ran out of memory, or could "
            "not load the extractor or the images; write processes=1"
        ) from error
    sent.unlink()


def parts(n: int, how: Extraction, together: int) -> list[tuple[int, int]]:
    """Split positions into one part for each process; each begins where a batch of one process begins.

    Args:
        n: number of images.
        how: size of a batch, and number of processes.
        together: see :class:`~ganvas.extractors.images.Images`.
    """
    unit = math.lcm(how.batch_size, together)
    size = -(-n // (unit * how.processes)) * unit
    return [(start, min(start + size, n)) for start in range(0, n, size)]


@final
@dataclass(frozen=True, eq=False)
class _Task:
    """What each process needs to extract its part."""

    extractor: Extractor
    images: Images
    batch_size: int
    folder: Path
    device: torch.device

    def run(self, start: int, stop: int, shown: Callable[[Iterator[Tensor]], Iterator[Tensor]] = iter) -> None:
        """Extract the features of some images and write them to their rows of the files."""
        self.extractor.to(self.device)
        names = [VALUES] if self.extractor.num_classes is None else [VALUES, LOGITS]
        files = [np.lib.format.open_memmap(self.folder / name, "r+") for name in names]
        for batch in shown(self.images.batches(start, stop, self.batch_size)):
            for file, found in zip(files, self.extractor(batch), strict=False):
                assert found is not None
                file[start : start + len(batch)] = _stored(found, file.dtype, self.extractor.name)
            start += len(batch)
        for file in files:
            file.flush()


def _stored(found: Tensor, kind: np.dtype, name: str) -> np.ndarray:
    if kind == np.float16 and (largest := float(found.abs().nan_to_num(0, 0).max())) > _MOST:
        raise ValueError(
            f"extractor={name}: a feature of {largest:.3g}, expected at most {_MOST:.0f} in float16; write "
            "on_disk=null, which keeps all features in memory in float32"
        )
    return found.float().cpu().numpy().astype(kind)


def _send(task: _Task, path: Path, processes: int) -> None:
    try:
        torch.save(task, path)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"processes={processes}: extractor '{task.extractor.name}' or the images cannot be sent to another process "
            f"({str(error)[:200]}); write processes=1"
        ) from error


_received: Any = None
"""The task of this process."""


def _receive(path: str, threads: int) -> None:
    """Prepare a process; the file was written by the process that started it."""
    global _received  # the only way by which a pool hands to its processes what all their calls share
    torch.set_num_threads(threads)
    _received = torch.load(path, weights_only=False, mmap=True)


def _run(start: int, stop: int) -> None:
    _received.run(start, stop)
