"""One thread that writes to MLflow, so that the training loop never waits for a disk or a server.

Waiting metrics are written together, at most once every few seconds: each write holds the interpreter's lock for some
milliseconds, in any thread, so only few writes keep the loop fast. Failed writes are counted and reported once; they
never raise an error in the loop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

_logger = logging.getLogger("ganvas.tracking")

_INTERVAL = 5.0
"""Seconds between two rounds of writing."""
_SAMPLE_INTERVAL = 10.0
"""Seconds between two samples of the system's metrics."""
_BATCH = 1000
"""Metrics in one call, MLflow's limit."""
_WAITING = {"metrics": 100_000, "image": 64}
"""Largest number that may wait for a slow store; more are dropped and counted, because memory is finite."""


@dataclass(frozen=True)
class _Job:
    kind: str
    write: Callable[[], object]
    count: int = 1


class Writer:
    """Writes jobs in the order in which they were put.

    Args:
        client: client of the store.
        run_id: id of the run that the metrics belong to.
        sample: called at intervals in the writing thread for further metrics; None for no such metrics.
    """

    def __init__(
        self,
        client: MlflowClient,
        run_id: str,
        sample: Callable[[], list[Metric]] | None,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._sample = sample
        self._sampled = time.monotonic()
        self._items: deque[list[Metric] | _Job] = deque()
        self._waiting: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self.lost: Counter[str] = Counter()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="ganvas-mlflow-writer", daemon=True)
        self._thread.start()

    def metrics(self, batch: list[Metric]) -> None:
        """Put values in the queue.

        Args:
            batch: metrics with keys and values that MLflow accepts.
        """
        if self._admit("metrics", len(batch)):
            self._items.append(batch)

    def job(self, kind: str, write: Callable[[], object]) -> None:
        """Put any other write in the queue.

        Args:
            kind: word under which a failure is counted.
            write: does the write; called in the writing thread.
        """
        if self._admit(kind, 1):
            self._items.append(_Job(kind, write))

    def flush(self, timeout: float) -> bool:
        """Wait until every job put before has been tried.

        Args:
            timeout: longest time to wait, in seconds.

        Returns:
            Whether every job has been tried.
        """
        done = threading.Event()
        self._items.append(_Job("flush", done.set, count=0))
        self._wake.set()
        return done.wait(timeout)

    def close(self, timeout: float) -> None:
        """Flush and end the thread; jobs that are not written in time count as lost.

        Args:
            timeout: longest time to wait, in seconds.
        """
        self._closing = True
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self.error = self.error or TimeoutError(f"the store did not answer within {timeout:.0f} s")
            with self._lock:
                self.lost.update(+self._waiting)

    def _admit(self, kind: str, count: int) -> bool:
        with self._lock:
            full = self._waiting[kind] + count > _WAITING.get(kind, _BATCH)
            (self.lost if full else self._waiting)[kind] += count
        if full:
            self._report(OverflowError(f"the store is too slow: {_WAITING.get(kind, _BATCH)} {kind} are waiting"))
        return not full

    def _work(self) -> None:
        while True:
            self._wake.wait(_INTERVAL)
            self._wake.clear()
            closing = self._closing
            self._take_sample()
            self._drain()
            if closing:
                return

    def _take_sample(self) -> None:
        if self._sample is not None and time.monotonic() - self._sampled >= _SAMPLE_INTERVAL:
            self._sampled = time.monotonic()
            try:
                self.metrics(self._sample())
            except Exception as error:
                self._sample = None
                self._report(error)

    def _drain(self) -> None:
        batch: list[Metric] = []
        while self._items:
            item = self._items.popleft()
            if isinstance(item, list) and len(batch) + len(item) <= _BATCH:
                batch += item
                continue
            self._send(batch)
            batch = item if isinstance(item, list) else []
            if isinstance(item, _Job):
                self._try(item)
        self._send(batch)

    def _send(self, batch: list[Metric]) -> None:
        if batch:
            self._try(_Job("metrics", lambda: self._client.log_batch(self._run_id, metrics=batch), len(batch)))

    def _try(self, job: _Job) -> None:
        try:
            job.write()
        except Exception as error:
            with self._lock:
                self.lost[job.kind] += job.count
            self._report(error)
        finally:
            with self._lock:
                self._waiting[job.kind] -= job.count

    def _report(self, error: Exception) -> None:
        first, self.error = self.error is None, self.error or error
        if first:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            _logger.warning(
                "MLflow run %s: not logged: %s: %s. Training goes on; the end of the run says what is missing.",
                *(self._run_id, type(error).__name__, reason),
            )
