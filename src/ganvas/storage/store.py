r"""Cache of computed tensors in files named by content hashes; several processes can share it.

Files are written atomically and verified when read. A file is safetensors: tensors, facts (JSON) and a checksum of
both; reading it runs no code. If a file is damaged, its content is computed again, with a warning. If another process
is computing the same content, this one waits for it. If the folder cannot be written, the content is computed each
time, with a warning, and the run continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganvas.storage.atomic import write_atomically
from ganvas.storage.locks import locked

_STATED: Final = "ganvas"
"""The only key of the file's metadata: with several keys safetensors has no fixed order, and bytes would differ."""
_DAMAGED: Final = (SafetensorError, OSError, KeyError, ValueError, TypeError)


@final
@dataclass(frozen=True)
class Kept:
    """Content of one file.

    Args:
        tensors: tensors by name, on the CPU.
        facts: values that JSON can hold.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


@final
class Store:
    """A folder of files named by :func:`ganvas.storage.digest.digest`.

    Args:
        folder: made at the first use; may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, name: str) -> bool:
        """Tell whether there is a file of this name, which may be damaged."""
        return self._path(name).exists()

    def get(self, name: str, compute: Callable[[], Kept], check: Callable[[Kept], None] = lambda _: None) -> Kept:
        """Read the content stored under a name, or compute and store it.

        Args:
            name: a :func:`ganvas.storage.digest.digest`.
            compute: called if the folder has no such file, or a damaged one.
            check: raises ValueError if content cannot belong to the name.

        Returns:
            The content, with the same bits whether it was read or computed.
        """
        path = self._path(name)
        with ExitStack() as lock:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(locked(path.with_suffix(".lock"), -1))
            except OSError as error:
                found = _read(path, check) if os.access(path, os.R_OK) else None  # files are whole without the lock too
                if found is None:
                    _warn_unusable(self.folder, error)
                return _checked(compute(), check) if found is None else found
            if path.exists() and (found := _read(path, check)) is not None:
                return found
            found = _checked(compute(), check)
            try:
                _write(path, found)
            except OSError as error:
                _warn_unusable(self.folder, error)
            return found

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def _read(path: Path, check: Callable[[Kept], None]) -> Kept | None:
    """Read and verify a file; None, with a warning, if it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stated = json.loads(file.metadata()[_STATED])
        found = Kept(tensors, stated["facts"])
        if stated["sha256"] != _checksum(found):
            raise ValueError("its content does not match its checksum")
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
        f"the cache {folder} cannot be written ({error}), so its content is computed each time; "
        "write paths.cache=DIR with a folder that can be written",
        stacklevel=3,
    )


def _checksum(found: Kept) -> str:
    """SHA-256 of the facts and of the tensors' names, types, sizes and bytes."""
    hashed = hashlib.sha256(json.dumps(found.facts).encode())
    for name, x in sorted(found.tensors.items()):
        hashed.update(f"{name} {x.dtype} {tuple(x.shape)}\n".encode())
        hashed.update(x.view(torch.uint8).numpy().data)
    return hashed.hexdigest()
