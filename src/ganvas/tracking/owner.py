"""A process: its machine, its number, its start time, and whether it still lives.

Numbers are reused, so the start time belongs to the identity; so does the id of the boot, since a machine that was
started again has none of its old processes.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

_SAME = 1.0
"""Seconds by which two readings of one process's start time may differ."""


@dataclass(frozen=True)
class Owner:
    """A process.

    Args:
        host: name of its machine.
        pid: its number on that machine.
        started: its start time, seconds since 1970.
        boot: id of the boot of its machine; empty where the system has none.
    """

    host: str
    pid: int
    started: float
    boot: str = ""

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time(), _boot())

    @classmethod
    def read(cls, record: dict[str, Any] | None) -> Owner | None:
        """Read a record that :meth:`as_dict` wrote; None if the record is None."""
        return cls(**record) if record else None

    def as_dict(self) -> dict[str, Any]:
        """Convert to values that JSON can hold."""
        return asdict(self)

    def lives(self) -> bool | None:
        """Whether the process runs; None if it is on another host."""
        if self.host != socket.gethostname():
            return None
        if self.boot and self.boot != _boot():
            return False
        try:
            process = psutil.Process(self.pid)
            running = process.status() != psutil.STATUS_ZOMBIE
            return running and abs(process.create_time() - self.started) < _SAME
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
