"""Folders of large files that are kept in a cache: made once, complete or absent, verified when they are found."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ganvas.storage.atomic import write_json
from ganvas.storage.locks import locked

_STATED: Final = "sha256.json"


@contextmanager
def kept_folder(folder: Path, fill: Callable[[Path], None]) -> Iterator[Path | None]:
    """Give a folder that is filled at the first use; another process that wants it waits.

    Args:
        folder: the folder; the one that contains it may be made here.
        fill: writes the files into an empty folder.

    Yields:
        The folder; None, with a warning, if it cannot be written.
    """
    with ExitStack() as lock:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock.enter_context(locked(folder.with_suffix(".lock"), -1))
        except OSError as error:
            warnings.warn(
                f"the cache {folder.parent} cannot be written ({error}), so its content is computed each time; write "
                "paths.cache=DIR with a folder that can be written",
                stacklevel=3,
            )
            yield None
            return
        if not _whole(folder):
            _make(folder, fill)
        yield folder


def _make(folder: Path, fill: Callable[[Path], None]) -> None:
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        fill(beside)
        write_json(beside / _STATED, {path.name: _sha256(path) for path in sorted(beside.iterdir())})
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _whole(folder: Path) -> bool:
    """Tell whether the folder has all its files; warn if one is damaged."""
    if not folder.is_dir():
        return False
    try:
        stated = json.loads((folder / _STATED).read_bytes())
        if all(_sha256(folder / name) == digits for name, digits in stated.items()):
            return True
    except (OSError, ValueError, AttributeError):
        pass
    warnings.warn(f"cache folder {folder.name} is damaged; computing its content again", stacklevel=5)
    return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
