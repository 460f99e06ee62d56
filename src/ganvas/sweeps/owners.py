"""Who works on something, and whether that process still lives.

A process is its host, its number and its start time, since numbers are used again. Of processes on this host the
operating system knows; of others only their heartbeat tells.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from typing import Any

import psutil

_SAME = 1.0
"""Seconds by which two readings of a process's start may differ."""


@dataclass(frozen=True)
class Owner:
    """A process.

    Args:
        host: its machine's name.
        pid: its number there.
        started: when, seconds since 1970.
    """

    host: str
    pid: int
    started: float

    @classmethod
    def me(cls) -> Owner:
        """This process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @classmethod
    def read(cls, record: dict[str, Any] | None) -> Owner | None:
        """What :meth:`as_dict` wrote; None where nobody is named."""
        return cls(**record) if record else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lives(self) -> bool | None:
        """Whether it runs; None where that cannot be seen from this host."""
        if self.host != socket.gethostname():
            return None
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
