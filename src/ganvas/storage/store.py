r"""Computed things by content, in files: written whole or not at all, verified when they are read, shared by processes.

A file is safetensors: tensors, facts (JSON) and a checksum of both; reading one runs no code. A damaged one is computed
again with a warning. A process that wants what another is computing waits for it. A folder that cannot be written costs
a warning and the computation, never the run.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganvas.storage.atomic import write_atomically

_STATED: Final = "ganvas"
"""One entry of the file's metadata: safetensors writes several in no fixed order, and equal content is equal bytes."""
_UNUSABLE: Final = (OSError, NotImplementedError)
"""What a folder without space, rights or locks raises."""
_DAMAGED: Final = (SafetensorError, OSError, KeyError, ValueError, TypeError)


@final
@dataclass(frozen=True)
class Kept:
    """What one file holds.

    Args:
        tensors: by name, on the CPU.
        facts: ready for JSON.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@final
class Store:
    """A folder of files named by :func:`ganvas.storage.digest.digest`.

    Args:
        folder: made when the first file is written; may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, compute: Callable[[], Kept], check: Callable[[Kept], None] = lambda _: None) -> Kept:
        """What is kept under a name, or what is computed and then kept there.

        Args:
            name: a :func:`ganvas.storage.digest.digest`.
            compute: called where the folder has no such file, or a damaged one.
            check: raises ValueError for what cannot be under that name.

        Returns:
            The same bits, from wherever they come.
        """
        path = self.folder / f"{name}.safetensors"
        with ExitStack() as lock:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(FileLock(path.with_suffix(".lock")))
            except _UNUSABLE as error:
                _warn_unusable(self.folder, error)
                return _checked(compute(), check)
            if path.exists() and (found := _read(path, check)) is not None:
                return found
            found = _checked(compute(), check)
            try:
                _write(path, found)
            except _UNUSABLE as error:
                _warn_unusable(self.folder, error)
            return found


def _read(path: Path, check: Callable[[Kept], None]) -> Kept | None:
    """Verified content, or None with a warning where the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stated = json.loads(file.metadata()[_STATED])
        found = Kept(tensors, stated["facts"])
        if stated["sha256"] != _checksum(found):
            raise ValueError("its content is not what its checksum says")
        check(found)
    except _DAMAGED as error:
        warnings.warn(f"cache file {path.name} is damaged ({error}); computing its content again", stacklevel=4)
        return None
    return found


def _checked(found: Kept, check: Callable[[Kept], None]) -> Kept:
    check(found)
    return Kept({name: x.contiguous() for name, x in found.tensors.items()}, found.facts)


def _write(path: Path, found: Kept) -> None:
    stated = {"facts": found.facts, "sha256": _checksum(found)}
    write_atomically(path, save(found.tensors, {_STATED: json.dumps(stated)}))


def _warn_unusable(folder: Path, error: Exception) -> None:
    warnings.warn(
        f"the cache {folder} cannot be written ({error}): what it would keep is computed each time; "
        "write paths.cache=DIR with a folder that can",
        stacklevel=3,
    )


def _checksum(found: Kept) -> str:
    """SHA-256 of the facts, and of names, types, sizes and bytes."""
    hashed = hashlib.sha256(json.dumps(found.facts).encode())
    for name, x in sorted(found.tensors.items()):
        hashed.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        hashed.update(x.view(torch.uint8).numpy().data)
    return hashed.hexdigest()
