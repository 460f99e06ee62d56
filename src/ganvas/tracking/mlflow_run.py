"""One run of the MLflow store: RUNNING inside the ``with`` block, and FINISHED, FAILED or KILLED after it.

What is logged goes first into the run's journal, a file in its output folder, and from there to the store, in the
background. Logging raises no error into the training: if the store goes away, training goes on, and what the store
lacks at the end stays in the journal. One warning says so, the end of the run counts what is missing, and ``ganvas
sync`` delivers it. :meth:`MlflowRun.flush` raises; it is called before training starts, where delivery must succeed.
"""

from __future__ import annotations

import logging
import math
import os
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from mlflow.tracking import MlflowClient
from torch import Tensor

from ganvas.tracking import limits, outcomes
from ganvas.tracking.courier import Courier
from ganvas.tracking.delivery import mark_as_incomplete, missing
from ganvas.tracking.entries import described
from ganvas.tracking.hierarchy import FAILURE_TAG, OUTCOME_TAG, UNHEALTHY_TAG
from ganvas.tracking.journal import Cursor, Journal
from ganvas.tracking.opening import Known, connect, head, known_in_store, open_journal, picture
from ganvas.tracking.run import Run
from ganvas.tracking.signals import signals_wait, stop_signals_raise
from ganvas.tracking.store import StoreError, no_retries, tracking_uri, without_password
from ganvas.tracking.system_metrics import SystemMetrics
from ganvas.tracking.views import View
from ganvas.tracking.writer import Writer
from ganvas.types import Shape

_logger = logging.getLogger("ganvas.tracking")

NON_FINITE_TAG = "ganvas.non_finite"
_PATIENCE = 60.0
"""Longest time that :meth:`flush` and the end of a run wait for the store, in seconds."""


@final
class MlflowRun(Run):
    """A run of the MLflow store; :meth:`start` makes one.

    Args:
        journal: gets everything first.
        cursor: how much of the journal the store has; it names the run.
        client: client of the store; None for a run without a store.
        known: what earlier processes of the run logged.
        since: images that the model has seen when this process begins; what is later and known is not logged again.
        system_metrics: whether to log processor, memory, disk and network every ten seconds.
    """

    def __init__(
        self,
        journal: Journal,
        cursor: Cursor,
        client: MlflowClient | None,
        known: Known,
        since: int,
        system_metrics: bool,
    ) -> None:
        self.id = cursor.run_id or journal.local_id
        self._journal, self._cursor = journal, cursor
        self._known, self._since = known, since
        self._step = 0
        self._keys: dict[str, str] = {}
        self._non_finite: set[str] = set()
        self._unwritten: Counter[str] = Counter()
        self._told = False
        self._system = SystemMetrics() if system_metrics else None
        self._courier = None if client is None else Courier(client, journal, cursor, self._sample)
        self._sampler = Writer("ganvas-sampler", lambda: None, self._sample) if client is None else None

    @classmethod
    @contextmanager
    def start(
        cls,
        experiment: str,
        name: str,
        tags: Mapping[str, Any],
        *,
        output: Path,
        run_id: str | None = None,
        since: int = 0,
        system_metrics: bool = False,
        offline: bool = False,
    ) -> Iterator[MlflowRun]:
        """Open a run for the length of a ``with`` block.

        Args:
            experiment: name of the MLflow experiment, created where it does not exist.
            name: name of the run, any text.
            tags: searchable facts about the run.
            output: output folder of the run; its journal is written there.
            run_id: id of a run to go on with; None begins a new run.
            since: images that the model has seen when a run goes on.
            system_metrics: whether to log processor, memory, disk and network every ten seconds.
            offline: True uses no store; ``ganvas sync`` delivers the run later.

        Raises:
            StoreError: the store cannot be used, or has no such run.
            JournalBusy: another process has the run.
        """
        entry = head(experiment, name, tags, offline)
        with stop_signals_raise(), no_retries(), open_journal(output, run_id, entry) as (journal, cursor, known):
            client = None if offline else connect(journal, cursor, entry)
            if client is not None and run_id is not None and not known:
                known = known_in_store(client, run_id)
            run = cls(journal, cursor, client, known, since, system_metrics)
            try:
                yield run
            except BaseException as error:
                run._end(error)
                raise
            else:
                run._end(None)

    @property
    def undelivered(self) -> dict[str, int]:
        """Return how much the store lacks, by kind; of metrics the points."""
        return dict(Counter(missing(self._journal, self._cursor)) + self._unwritten)

    def params(self, flat: Mapping[str, Any]) -> None:
        """See :meth:`Run.params`.

        A value too long for MLflow is cut and points to ``config.yaml``. On a resumed run, parameters that differ
        from the recorded ones go into a tag, because MLflow's parameters cannot change.
        """
        self._append({"kind": "params", "values": {p.key: p.value for p in limits.params(flat)}})

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """See :meth:`Run.metrics`.

        NaN stays NaN. SQL has no infinity, and MLflow would store 1.8e308 instead: infinity is logged as NaN, and a
        tag keeps the first such value of each key.
        """
        self._step = step
        self._log(values, step)

    def latest(self, prefix: str) -> dict[str, float]:
        """See :meth:`Run.latest`."""
        if self._courier is not None:
            logged = self._courier.client.get_run(self.id).data.metrics
        else:
            logged = {key: value for (key, _), value in self._known.items()}
        return {key: value for key, value in logged.items() if key.startswith(prefix)}

    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """See :meth:`Run.image`; MLflow's gallery shows the series step by step.

        Raises:
            ValueError: the picture is not ``uint8``.
        """
        if image.dtype not in (np.uint8, torch.uint8):
            raise ValueError(f"image must be uint8, got {image.dtype}; convert it with ganvas.types.to_uint8")
        array = image.permute(1, 2, 0).contiguous().cpu().numpy() if isinstance(image, Tensor) else image
        name = limits.key(key)
        if (picture(name), step) in self._known:
            return
        entry = {"kind": "image", "time": int(time.time() * 1000), "step": step, "key": name}
        self._append_with(entry, lambda: self._journal.keep_array(array))

    def text(self, path: str, text: str) -> None:
        """See :meth:`Run.text`."""
        self._append({"kind": "text", "path": path, "text": text})

    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """See :meth:`Run.artifact`."""
        entry = {"kind": "artifact", "name": Path(path).name, "folder": folder}
        self._append_with(entry, lambda: self._journal.keep_file(Path(path)))

    def dataset(self, name: str, fingerprint: str, split: str, shape: Shape, n: int, place: Path | None = None) -> None:
        """See :meth:`Run.dataset`."""
        self._append(
            {"kind": "dataset", "dataset": described(name, fingerprint, split, shape, n, place), "split": split}
        )

    def tags(self, values: Mapping[str, Any]) -> None:
        """See :meth:`Run.tags`."""
        self._append({"kind": "tags", "values": {tag.key: tag.value for tag in limits.tags(values)}})

    def view(self, view: View) -> None:
        """See :meth:`Run.view`."""
        self._append({"kind": "view", "name": view.tag, "value": view.value()})

    def persist(self) -> None:
        """See :meth:`Run.persist`."""
        try:
            self._journal.persist()
        except OSError as error:
            self._say_unwritten(error)

    def flush(self) -> None:
        """See :meth:`Run.flush`; a run without a store is flushed to the disk."""
        self.persist()
        if (self._courier is not None and not self._courier.flush(_PATIENCE)) or self._unwritten:
            raise StoreError(without_password(f"the MLflow store {tracking_uri()} did not take {self._missing()}"))

    def _log(self, values: Mapping[str, int | float], step: int) -> None:
        named = {self._key(name): self._finite(name, float(value)) for name, value in values.items()}
        if self._known:
            named = {key: value for key, value in named.items() if not self._is_known(key, step, value)}
        if named:
            self._append({"kind": "metrics", "time": int(time.time() * 1000), "step": step, "values": named})

    def _is_known(self, key: str, step: int, value: float) -> bool:
        """Whether an earlier process logged the point: what is trained again is not logged again."""
        before = self._known.get((key, step))
        if before is None:
            return False
        return step > self._since or before == value or (math.isnan(before) and math.isnan(value))

    def _append(self, entry: Mapping[str, Any]) -> None:
        try:
            self._journal.append(entry)
        except OSError as error:
            self._unwritten[entry["kind"]] += len(entry["values"]) if entry["kind"] == "metrics" else 1
            self._say_unwritten(error)

    def _append_with(self, entry: dict[str, Any], keep: Callable[[], str]) -> None:
        try:
            self._append({**entry, "file": keep()})
        except OSError as error:
            self._unwritten[entry["kind"]] += 1
            self._say_unwritten(error)

    def _say_unwritten(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            _logger.warning("MLflow run %s: the journal cannot be written: %s", self.id, error)

    def _key(self, name: str) -> str:
        if name not in self._keys:
            self._keys[name] = limits.key(name)
        return self._keys[name]

    def _finite(self, name: str, value: float) -> float:
        if math.isfinite(value):
            return value
        if name not in self._non_finite:
            self._non_finite.add(name)
            self.tags({f"{NON_FINITE_TAG}.{name}": f"{value} at {self._step} images"})
        return math.nan

    def _sample(self) -> None:
        """Log the system's metrics when due, and give other machines a sign of life; called in a thread."""
        with suppress(OSError):
            os.utime(self._journal.folder)
        if self._system is not None and (values := self._system.sample()):
            self._log(values, self._step)

    def _end(self, error: BaseException | None) -> None:
        with signals_wait():
            word, status = outcomes.outcome(error), outcomes.status(error)
            if status != "FINISHED":
                self.tags({OUTCOME_TAG: word} | ({UNHEALTHY_TAG: "finite"} if word == outcomes.NAN else {}))
            if error is not None and word not in (outcomes.FINISHED, outcomes.INTERRUPTED):
                self.tags({FAILURE_TAG: outcomes.one_line(error)})
            if error is not None and status == "FAILED":
                self.text(outcomes.FAILURE_FILE, "".join(traceback.format_exception(error)))
            self._append({"kind": "end", "status": status, "time": int(time.time() * 1000)})
            self.persist()
            self._close()

    def _close(self) -> None:
        if self._courier is None:
            assert self._sampler is not None
            self._sampler.close(_PATIENCE)
            return
        self._courier.close(_PATIENCE)
        if self._unwritten:
            self._cursor.refused = dict(Counter(self._cursor.refused) + self._unwritten)
            self._unwritten.clear()
            self._journal.save(self._cursor)
        if not self.undelivered:
            return self._journal.drop_files()
        output, lacking = self._journal.output, self._missing()
        _logger.warning("MLflow run %s lacks %s; `ganvas sync %s` delivers it", self.id, lacking, output)
        if self._courier.records_delivered:
            mark_as_incomplete(self._courier.client, self.id, lacking)

    def _missing(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.undelivered.items()) or "what was logged in time"
        error = None if self._courier is None else self._courier.error
        return counts if error is None else f"{counts} ({outcomes.one_line(error)})"
