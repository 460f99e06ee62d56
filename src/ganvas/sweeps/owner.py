"""The process that works on a trial: who it is, whether it lives, and its heartbeat.

A process is identified by its host, its number and its start time, since numbers are reused. The operating system
tells whether a process of this host lives; the heartbeat tells it of a process on another host.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from optuna.storages import RDBStorage

from ganvas.sweeps.storage import BEAT

_logger = logging.getLogger("ganvas.sweeps")

_SAME = 1.0
"""Seconds by which two readings of one process's start time may differ."""


@dataclass(frozen=True)
class Owner:
    """A process.

    Args:
        host: name of its machine.
        pid: its number on that machine.
        started: its start time, seconds since 1970.
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
        """Read a record that :meth:`as_dict` wrote; None if the record is None."""
        return cls(**record) if record else None

    def as_dict(self) -> dict[str, Any]:
        """Convert to values that JSON can hold."""
        return asdict(self)

    def lives(self) -> bool | None:
        """Whether the process runs; None if it is on another host."""
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


@contextmanager
def beating(storage: RDBStorage, trial_ids: set[int]) -> Iterator[None]:
    """Record a heartbeat for each trial every :data:`~ganvas.sweeps.storage.BEAT` seconds, from a thread of its own.

    Args:
        storage: the SQL storage of the trials.
        trial_ids: Optuna's ids; the set may change inside the block.
    """
    end = threading.Event()

    def beat() -> None:
        while not end.wait(BEAT):
            for trial_id in sorted(trial_ids):
                try:
                    storage.record_heartbeat(trial_id)
                except Exception as error:  # training goes on while the storage cannot be reached
                    _logger.warning("no heartbeat for trial %s: %s", trial_id, error)

    thread = threading.Thread(target=beat, name="ganvas-heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
