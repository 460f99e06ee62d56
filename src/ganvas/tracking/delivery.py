"""Delivery of a journal to a run in the store: everything once, in order, whatever happens in between.

Metrics, parameters, tags and statuses are one queue, texts, pictures and files another: an artifact store that is away
holds up no metric. After each delivered batch the cursor is written. A delivery that broke off may have reached the
store without the cursor's knowing; so the first metrics of the next one are compared with what the store has, and every
other entry can be delivered twice without a trace.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, final

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.tracking import limits
from ganvas.tracking.entries import FILES, RECORDS, Entry, GoneError, Target, Write
from ganvas.tracking.hierarchy import NOT_LOGGED_TAG
from ganvas.tracking.journal import Cursor, Journal, parsed
from ganvas.tracking.store import impatient

_logger = logging.getLogger("ganvas.tracking")

Queue = Literal["records", "files"]
_KINDS: Final[Mapping[Queue, Mapping[str, Write]]] = {"records": RECORDS, "files": FILES}
_BATCH: Final = 1000
"""Metrics in one call, MLflow's limit."""


def kinds(queue: Queue) -> tuple[str, ...]:
    """Kinds of the entries in a queue.

    Args:
        queue: ``records`` or ``files``.
    """
    return (*_KINDS[queue], *(["metrics"] if queue == "records" else []))


@final
class Delivery:
    """Delivers one queue of a journal.

    Args:
        client: client of the store.
        journal: the journal.
        cursor: where the delivery stands; both queues share it.
        queue: ``records`` or ``files``.
    """

    def __init__(self, client: MlflowClient, journal: Journal, cursor: Cursor, queue: Queue) -> None:
        self._client, self._journal, self._cursor, self._queue = client, journal, cursor, queue
        self._doubtful = self.position > 0
        self._points: list[Metric] = []
        self._read = self.position
        self._write = _KINDS[queue]
        self._marks = tuple(f'{{"kind": "{kind}"'.encode() for kind in kinds(queue))

    @property
    def position(self) -> int:
        """Length in bytes of the entries that are delivered, those of the other queue included."""
        return getattr(self._cursor, self._queue)

    def deliver(self) -> None:
        """Deliver all entries that are not delivered yet.

        Raises:
            Exception: the store did not take an entry; that one and those after it are not delivered.
        """
        before, self._points, self._read = self.position, [], self.position
        for line, end in self._journal.lines(before):
            if line.startswith(self._marks) and (entry := parsed(line)):
                self._take(entry, end)
            else:
                self._read = end
        self._send()
        self._advance(self._read)

    def _take(self, entry: Entry, end: int) -> None:
        if entry["kind"] != "metrics":
            self._send()
            self._try(entry)
            self._advance(end)
            return
        points = _points(entry)
        if len(self._points) + len(points) > _BATCH:
            self._send()
        self._points += points
        self._read = end

    def _send(self) -> None:
        """Deliver the points that are collected."""
        points, self._points = self._points, []
        for start in range(0, len(points), _BATCH):
            self._send_points(points[start : start + _BATCH])
        if points:
            self._advance(self._read)

    def _send_points(self, points: list[Metric]) -> None:
        try:
            self._write_points(points)
        except Exception as error:
            if not self._is_final(error):
                raise
            half = len(points) // 2
            if half:  # only the points that are refused shall be missing
                self._send_points(points[:half])
                self._send_points(points[half:])
            else:
                self._refuse("metrics", error)

    def _write_points(self, points: list[Metric]) -> None:
        sent = self._unknown(points) if self._doubtful else points
        self._doubtful = True
        if sent:
            self._client.log_batch(self._cursor.run_id, metrics=sent)
        self._doubtful = False

    def _unknown(self, points: list[Metric]) -> list[Metric]:
        """The points that the store does not have."""
        run_id = self._cursor.run_id
        keys = {point.key for point in points}
        known = {_identity(p) for key in keys for p in self._client.get_metric_history(run_id, key)}
        return [point for point in points if _identity(point) not in known]

    def _advance(self, position: int) -> None:
        self._read = position
        if position > self.position:
            setattr(self._cursor, self._queue, position)
            self._journal.save(self._cursor)

    def _try(self, entry: Entry) -> None:
        """Deliver; what can never be delivered is counted and passed over, or it would hold up all that follows."""
        try:
            self._write[entry["kind"]](Target(self._client, self._cursor.run_id, self._journal), entry)
        except Exception as error:
            if not self._is_final(error):
                raise
            self._refuse(entry["kind"], error)

    def _refuse(self, kind: str, error: Exception) -> None:
        self._cursor.refused[kind] = self._cursor.refused.get(kind, 0) + 1
        _logger.warning("run %s: the store refuses an entry: %s: %s", self._cursor.run_id, kind, error)

    def _is_final(self, error: Exception) -> bool:
        if isinstance(error, GoneError):
            return True
        refused = isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE"
        # A run in the trash refuses everything, and can be brought back.
        return refused and self._client.get_run(self._cursor.run_id).info.lifecycle_stage == "active"


def mark_as_incomplete(client: MlflowClient, run_id: str, what: str) -> None:
    """Tag a run that has ended with what the store lacks, if the store takes the tag.

    Args:
        client: client of the store.
        run_id: MLflow's id of the run.
        what: what is missing, and why.
    """
    try:
        with impatient():
            client.log_batch(run_id, tags=limits.tags({NOT_LOGGED_TAG: what}))
    except Exception as error:  # the journal and the exit code say it too
        _logger.debug("no tag %s: %s", NOT_LOGGED_TAG, error)


def missing(journal: Journal, cursor: Cursor) -> dict[str, int]:
    """Count what the store lacks, by kind; of metrics the points.

    Args:
        journal: a journal.
        cursor: how far the store has it.
    """
    counts: Counter[str] = Counter(cursor.refused)
    positions: dict[Queue, int] = {"records": cursor.records, "files": cursor.files}
    for queue, start in positions.items():
        for entry in journal.read(start):
            if entry["kind"] in kinds(queue):
                counts[entry["kind"]] += len(entry["values"]) if entry["kind"] == "metrics" else 1
    return dict(counts)


def _points(entry: Entry) -> list[Metric]:
    return [Metric(key, value, entry["time"], entry["step"]) for key, value in entry["values"].items()]


def _identity(point: Metric) -> tuple[str, int, int, str]:
    return point.key, point.timestamp, point.step, repr(float(point.value))
