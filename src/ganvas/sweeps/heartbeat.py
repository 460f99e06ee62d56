"""The heartbeat of the process that works on a trial, which tells a process on another host that it lives."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import RDBStorage

from ganvas.sweeps.storage import BEAT

_logger = logging.getLogger("ganvas.sweeps")


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
