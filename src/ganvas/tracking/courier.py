"""The delivery of a run's journal while the run goes on: two threads, one for each queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, final

from mlflow.tracking import MlflowClient

from ganvas.tracking.delivery import Delivery
from ganvas.tracking.journal import Cursor, Journal
from ganvas.tracking.sqlite import identity
from ganvas.tracking.store import StoreError, tracking_uri, without_password
from ganvas.tracking.writer import Writer

_LAST_TRIES: Final = 5
"""Deliveries that may fail at the end of a run, over some 8 seconds, before the rest is left in the journal."""
_LEAVING = 5.0
"""Seconds that a thread has to end; one that hangs is left behind."""


@final
class Courier:
    """Delivers the journal of a run that goes on.

    Args:
        client: client of the store.
        journal: the run's journal.
        cursor: how much of the journal the store has; it names the run.
        sample: called before each delivery of metrics; must not raise.
    """

    def __init__(self, client: MlflowClient, journal: Journal, cursor: Cursor, sample: Callable[[], None]) -> None:
        self.client, self.cursor = client, cursor
        self._journal = journal
        self._database = identity(client.tracking_uri)
        self._records = Delivery(client, journal, cursor, "records")
        self._files = Delivery(client, journal, cursor, "files")
        self._writers = (
            Writer("ganvas-records", lambda: self._checked(self._records), sample),
            Writer("ganvas-files", lambda: self._checked(self._files)),
        )

    @property
    def error(self) -> Exception | None:
        """Reason why a queue is held up; None if none is."""
        return next((writer.error for writer in self._writers if writer.error is not None), None)

    @property
    def delivered(self) -> bool:
        """Whether the store has all that was logged."""
        return all(queue.position >= self._journal.size() for queue in (self._records, self._files))

    @property
    def records_delivered(self) -> bool:
        """Whether the store has all metrics, parameters, tags and statuses."""
        return self._records.position >= self._journal.size()

    def flush(self, timeout: float, tries: int = 1) -> bool:
        """Wait until the store has all that was logged before.

        Args:
            timeout: longest time to wait, in seconds.
            tries: deliveries of each queue that may fail before it is given up.

        Returns:
            Whether the store has all.
        """
        size, end = self._journal.size(), time.monotonic() + timeout
        for writer, queue in zip(self._writers, (self._records, self._files), strict=True):
            writer.settle(lambda queue=queue: queue.position >= size, end - time.monotonic(), tries)  # type: ignore[misc]
        return all(queue.position >= size for queue in (self._records, self._files))

    def close(self, timeout: float) -> bool:
        """Deliver the rest and end the threads.

        Args:
            timeout: longest time to wait, in seconds.

        Returns:
            Whether the threads have ended; one that hangs in a call to the store has not.
        """
        self.flush(timeout, _LAST_TRIES)
        ended = [writer.close(_LEAVING) for writer in self._writers]
        if identity(self.client.tracking_uri) != self._database:
            self.cursor.rewind()  # what was delivered went with the database
            self._journal.save(self.cursor)
        return all(ended)

    def _checked(self, queue: Delivery) -> None:
        """Deliver, unless the database file is another: SQLite goes on writing into one that was deleted."""
        if identity(self.client.tracking_uri) != self._database:
            where = without_password(tracking_uri())
            raise StoreError(f"the database {where} was deleted or replaced while the run was logged to it")
        queue.deliver()
