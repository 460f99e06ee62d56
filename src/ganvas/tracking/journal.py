"""The journal of a run: a file in the run's output folder that gets everything that is logged, before the store does.

Each entry is one line of JSON, written with one call, so that a process that is killed loses none that it made.
Pictures and files stand beside, in ``files``, and the entry names them. ``cursor.json`` says how far the store has
them. An entry that a power cut left incomplete is skipped by readers; the entries after it are read.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from filelock import Timeout

from ganvas.storage.atomic import write_json
from ganvas.storage.locks import locked
from ganvas.tracking.owner import Owner

FOLDER: Final = "journal"
"""In an output folder; holds one folder for each run that was logged there."""
LOCAL: Final = "local-"
"""Beginning of the id of a run that no store has yet."""
_LOOK: Final = 1.0
"""Seconds to wait for a process that only looks at a journal."""
DELIVERY: Final = 120.0
"""Seconds to wait for a process that delivers a journal whose own process died, as another worker of a sweep does."""
_SILENCE: Final = 600.0
"""Seconds without a sign of life after which a process on another machine counts as dead."""
_ENTRIES, _CURSOR, _FILES, _LOCK = "entries.jsonl", "cursor.json", "files", "lock"


class JournalBusy(RuntimeError):
    """Another process uses the journal."""

    exit_code = 2


@dataclass
class Cursor:
    """How much of a journal the store has.

    Args:
        run_id: MLflow's id of the run; empty before the store has the run.
        records: length in bytes of the entries whose metrics, parameters, tags and statuses are delivered.
        files: length in bytes of the entries whose texts, pictures and files are delivered.
        refused: number of things that the store refused for good, by kind.
    """

    run_id: str = ""
    records: int = 0
    files: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def rewind(self) -> None:
        """Say that the store has nothing, because it lost the run."""
        self.run_id, self.records, self.files, self.refused = "", 0, 0, {}


@final
class Journal:
    """One run's journal, in a folder of its own.

    Args:
        folder: folder of the journal; it is created by the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()  # the process may change its working folder before the last delivery
        self.entries = self.folder / _ENTRIES
        self._given = folder
        self._file: int | None = None
        self._writing = threading.Lock()
        self._saving = threading.Lock()

    @classmethod
    def new(cls, output: Path) -> Journal:
        """Choose a new folder below an output folder.

        Args:
            output: output folder of the run.
        """
        return cls(output / FOLDER / secrets.token_hex(6))

    @classmethod
    def of_run(cls, output: Path, run_id: str) -> Journal | None:
        """Find the journal of a run in an output folder; None if there is none.

        Args:
            output: output folder of the run.
            run_id: MLflow's id of the run, or its local id.
        """
        return next((j for j in journals(output / FOLDER) if run_id in (j.local_id, j.cursor().run_id)), None)

    @property
    def local_id(self) -> str:
        """Id of the run before a store has it."""
        return f"{LOCAL}{self.folder.name}"

    @property
    def output(self) -> Path:
        """Output folder of the run, as it was given."""
        return self._given.parents[1]

    @contextmanager
    def locked(self, patience: float | None = None) -> Iterator[None]:
        """Lock the journal against other processes inside the block; a process that dies leaves no lock.

        Args:
            patience: longest time to wait for a process that delivers it, in seconds; None is as long as a look takes.
                A process that trains the run is not waited for.

        Raises:
            JournalBusy: another process has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        seconds = _LOOK if patience is None or self.is_trained() else patience
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(self.folder / _LOCK, seconds))
            except Timeout as error:
                raise JournalBusy(f"another process logs to the journal {self._given}, or delivers it") from error
            try:
                yield
            finally:
                self.close()

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one entry.

        Args:
            entry: values that JSON can hold; ``kind`` comes first.

        Raises:
            OSError: the entry cannot be written.
        """
        line = json.dumps(entry).encode() + b"\n"
        with self._writing:
            self._file = self._open() if self._file is None else self._file
            written = os.write(self._file, line)
            if written < len(line):
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OSError(errno.ENOSPC, f"{self.entries}: no room for another entry")

    def persist(self) -> None:
        """Force all entries to the disk; a power cut later loses none of them."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Force all entries to the disk and close the file."""
        with self._writing:
            if self._file is not None:
                os.fsync(self._file)
                os.close(self._file)
                self._file = None

    def keep_array(self, array: np.ndarray) -> str:
        """Keep an array beside the entries, and return its name."""
        path = self._beside("picture.npy")
        np.save(path, array, allow_pickle=False)
        return path.name

    def keep_file(self, source: Path) -> str:
        """Keep a file beside the entries, and return its name; a second name of the same file where that is possible.

        Args:
            source: may be replaced later, but not rewritten.
        """
        path = self._beside(source.name)
        try:
            os.link(source, path)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(source, path)
        return path.name

    def kept(self, name: str) -> Path:
        """Path of a file that an entry names.

        Args:
            name: what :meth:`keep_array` or :meth:`keep_file` returned.
        """
        return self.folder / _FILES / Path(name).name

    def drop_files(self) -> None:
        """Remove the files beside the entries, which the store has."""
        shutil.rmtree(self.folder / _FILES, ignore_errors=True)

    def size(self) -> int:
        """Length of the entries in bytes."""
        try:
            return self.entries.stat().st_size
        except FileNotFoundError:
            return 0

    def lines(self, start: int = 0) -> Iterator[tuple[bytes, int]]:
        """Read complete lines.

        Args:
            start: bytes to skip, the end of a line.

        Yields:
            A line, and the number of bytes up to its end.
        """
        if not self.entries.exists():
            return
        with self.entries.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                start += len(line)
                yield line, start

    def read(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Read entries.

        Args:
            start: bytes to skip, the end of a line.
        """
        return (entry for line, _ in self.lines(start) if (entry := parsed(line)))

    def marks(self) -> list[dict[str, Any]]:
        """Read the entries that processes began and ended with."""
        marked = [line for line, _ in self.lines() if line.startswith((b'{"kind": "begin"', b'{"kind": "end"'))]
        return [entry for line in marked if (entry := parsed(line))]

    def begun(self) -> dict[str, Any] | None:
        """Read the entry that the latest process began with; None if there is none."""
        return next((entry for entry in reversed(self.marks()) if entry["kind"] == "begin"), None)

    def is_ended(self) -> bool:
        """Whether the latest process ended the run."""
        return bool(marks := self.marks()) and marks[-1]["kind"] == "end"

    def is_trained(self) -> bool:
        """Whether the latest process has not ended the run, and lives; on another machine, whether it was heard of."""
        marks = self.marks()
        if not marks or marks[-1]["kind"] == "end":
            return False
        owner = Owner.read(marks[-1]["owner"])
        lives = None if owner is None else owner.lives()
        return lives if lives is not None else time.time() - self.folder.stat().st_mtime < _SILENCE

    def cursor(self) -> Cursor:
        """Read how much the store has."""
        try:
            return Cursor(**json.loads((self.folder / _CURSOR).read_bytes()))
        except FileNotFoundError:
            return Cursor()

    def save(self, cursor: Cursor) -> None:
        """Write how much the store has."""
        with self._saving:
            write_json(self.folder / _CURSOR, asdict(cursor))

    def pending(self) -> bool:
        """Whether the store lacks something."""
        cursor = self.cursor()
        return min(cursor.records, cursor.files) < self.size()

    def incomplete(self) -> bool:
        """Whether the store lacks something, or refused it."""
        return self.pending() or bool(self.cursor().refused)

    def _open(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.entries, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            os.write(descriptor, b"\n")  # an entry that a power cut left incomplete
        return descriptor

    def _beside(self, name: str) -> Path:
        (self.folder / _FILES).mkdir(parents=True, exist_ok=True)
        return self.folder / _FILES / f"{secrets.token_hex(4)}-{name}"


def journals(folder: Path) -> list[Journal]:
    """Find all journals in a folder and below.

    Args:
        folder: any folder.
    """
    return [Journal(path.parent) for path in sorted(folder.rglob(_ENTRIES))]


def parsed(line: bytes) -> dict[str, Any] | None:
    """Parse a line; None if it is no entry.

    Args:
        line: one line of a journal.
    """
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "kind" in entry else None
