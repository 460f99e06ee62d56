"""A thread that says that somebody still works on a configuration."""

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
    """Inside the block a heartbeat is recorded now and then for each of ``trial_ids``, which may change meanwhile.

    Args:
        storage: of the trials.
        trial_ids: Optuna's.
    """
    end = threading.Event()

    def beat() -> None:
        while not end.wait(BEAT):
            for trial_id in sorted(trial_ids):
                try:
                    storage.record_heartbeat(trial_id)
                except Exception as error:  # the storage is away for a while: the work goes on
                    _logger.warning("no heartbeat for trial %s: %s", trial_id, error)

    thread = threading.Thread(target=beat, name="ganvas-heart", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
