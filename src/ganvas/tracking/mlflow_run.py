"""One run in the MLflow store: RUNNING inside the ``with`` block, and FINISHED, FAILED or KILLED after it.

Logging raises no error into the training: if the store goes away, the log is lost, not hours of training. One warning
says so, and the end of the run counts what is missing. :meth:`MlflowRun.flush` raises; it is called before training
starts, where writing must have succeeded.
"""

from __future__ import annotations

import json
import logging
import math
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.tracking import MlflowClient
from mlflow.tracking.context.default_context import DefaultRunContext
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from mlflow.utils.validation import MAX_DATASET_DIGEST_SIZE
from torch import Tensor

from ganvas.tracking import limits, outcomes
from ganvas.tracking.hierarchy import FAILURE_TAG, OUTCOME_TAG
from ganvas.tracking.run import Run
from ganvas.tracking.signals import signals_wait, stop_signals_raise
from ganvas.tracking.store import StoreError, impatient, open_store, tracking_uri, without_password
from ganvas.tracking.writer import Writer
from ganvas.types import Shape

_logger = logging.getLogger("ganvas.tracking")

FAILURE_FILE = "failure.txt"
NOT_LOGGED_TAG = "ganvas.not_logged"
NON_FINITE_TAG = "ganvas.non_finite"
RESUMED_TAG = "ganvas.resumed_with"
_PATIENCE = 60.0
"""Longest time that :meth:`flush` and the end of a run wait for the store, in seconds."""


@final
class MlflowRun(Run):
    """A run in the MLflow store; :meth:`start` makes one.

    Args:
        client: client of the store.
        run_id: id of an existing run.
        system_metrics: whether to log processor, memory, disk and network every ten seconds.
    """

    def __init__(self, client: MlflowClient, run_id: str, system_metrics: bool) -> None:
        self.id = run_id
        self._client = client
        self._step = 0
        self._keys: dict[str, str] = {}
        self._non_finite: set[str] = set()
        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # says at length that there is no GPU
        self._monitor = SystemMetricsMonitor(run_id, tracking_uri=client.tracking_uri) if system_metrics else None
        self._writer = Writer(client, run_id, self._system_metrics if system_metrics else None)

    @classmethod
    @contextmanager
    def start(
        cls,
        experiment: str,
        name: str,
        tags: Mapping[str, Any],
        *,
        run_id: str | None = None,
        system_metrics: bool = False,
    ) -> Iterator[MlflowRun]:
        """Open a run for the length of a ``with`` block.

        Args:
            experiment: name of the MLflow experiment, created where it does not exist.
            name: name of the run, any text.
            tags: searchable facts about the run.
            run_id: id of a run to go on with; None begins a new run.
            system_metrics: whether to log processor, memory, disk and network every ten seconds.

        Raises:
            StoreError: the store cannot be used, or has no such run.
        """
        client, experiment_id = open_store(experiment)
        with stop_signals_raise():
            all_tags = DefaultRunContext().tags() | dict(tags)
            run = cls(client, _begin(client, experiment_id, name, all_tags, run_id), system_metrics)
            try:
                yield run
            except BaseException as error:
                run._end(error)
                raise
            else:
                run._end(None)

    @property
    def lost(self) -> dict[str, int]:
        """Return the number of failed writes of each kind."""
        return dict(+self._writer.lost)

    def params(self, flat: Mapping[str, Any]) -> None:
        """See :meth:`Run.params`.

        A value too long for MLflow is cut and points to ``config.yaml``. On a resumed run, parameters that differ
        from the recorded ones go into a tag, because MLflow's parameters cannot change.
        """
        entries = limits.params(flat)
        self._writer.job("params", lambda: self._write_params(entries))

    def metrics(self, values: Mapping[str, int | float], step: int) -> None:
        """See :meth:`Run.metrics`.

        NaN stays NaN. SQL has no infinity, and MLflow would store 1.8e308 instead: infinity is logged as NaN, and a
        tag keeps the first such value of each key.
        """
        now, self._step = int(time.time() * 1000), step
        self._writer.metrics([Metric(self._key(k), self._finite(k, float(v)), now, step) for k, v in values.items()])

    def latest(self, prefix: str) -> dict[str, float]:
        """See :meth:`Run.latest`."""
        logged = self._client.get_run(self.id).data.metrics
        return {key: value for key, value in logged.items() if key.startswith(prefix)}

    def image(self, key: str, image: Tensor | np.ndarray, step: int) -> None:
        """See :meth:`Run.image`; MLflow's gallery shows the series step by step.

        Raises:
            ValueError: the picture is not ``uint8``.
        """
        if image.dtype not in (np.uint8, torch.uint8):
            raise ValueError(f"image must be uint8, got {image.dtype}; convert it with ganvas.types.to_uint8")
        copy, name = image.clone() if isinstance(image, Tensor) else image.copy(), limits.key(key)

        def write() -> None:
            array = copy.permute(1, 2, 0).contiguous().cpu().numpy() if isinstance(copy, Tensor) else copy
            self._client.log_image(self.id, array, key=name, step=step, synchronous=True)

        self._writer.job("image", write)

    def text(self, path: str, text: str) -> None:
        """See :meth:`Run.text`."""
        self._writer.job("text", lambda: self._client.log_text(self.id, text, path))

    def artifact(self, path: str | Path, folder: str | None = None) -> None:
        """See :meth:`Run.artifact`."""
        self._writer.job("artifact", lambda: self._client.log_artifact(self.id, str(path), folder))

    def dataset(self, name: str, fingerprint: str, split: str, shape: Shape, n: int) -> None:
        """See :meth:`Run.dataset`; the digest holds 36 characters of the fingerprint, the profile all."""
        profile = json.dumps({"n": n, "shape": list(shape), "split": split, "fingerprint": fingerprint})
        digest = fingerprint[:MAX_DATASET_DIGEST_SIZE]
        entry = Dataset(name, digest, source_type="ganvas", source=json.dumps({"data": name}), profile=profile)
        inputs = [DatasetInput(entry, [InputTag(MLFLOW_DATASET_CONTEXT, split)])]
        self._writer.job("dataset", lambda: self._client.log_inputs(self.id, inputs))

    def tags(self, values: Mapping[str, Any]) -> None:
        """See :meth:`Run.tags`."""
        entries = limits.tags(values)
        self._writer.job("tags", lambda: self._client.log_batch(self.id, tags=entries))

    def flush(self) -> None:
        """See :meth:`Run.flush`."""
        if not self._writer.flush(_PATIENCE) or self.lost:
            raise StoreError(without_password(f"the MLflow store {tracking_uri()} did not take {self._missing()}"))

    def _write_params(self, entries: list) -> None:
        recorded = self._client.get_run(self.id).data.params
        changed = [
            f"{p.key}: {recorded[p.key]} -> {p.value}" for p in entries if recorded.get(p.key, p.value) != p.value
        ]
        self._client.log_batch(self.id, params=[p for p in entries if p.key not in recorded])
        if changed:
            self._client.log_batch(self.id, tags=limits.tags({RESUMED_TAG: "; ".join(changed)}))

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

    def _system_metrics(self) -> list[Metric]:
        assert self._monitor is not None
        self._monitor.collect_metrics()
        values = self._monitor.aggregate_metrics()
        for part in self._monitor.monitors:
            part.clear_metrics()
        now = int(time.time() * 1000)
        return [Metric(f"system/{name}", float(value), now, self._step) for name, value in values.items()]

    def _end(self, error: BaseException | None) -> None:
        with signals_wait():
            word, status = outcomes.outcome(error), _status(error)
            if status != "FINISHED":
                self.tags({OUTCOME_TAG: word})
            if error is not None and word not in (outcomes.FINISHED, outcomes.INTERRUPTED):
                self.tags({FAILURE_TAG: _one_line(error)})
            if error is not None and status == "FAILED":
                self.text(FAILURE_FILE, "".join(traceback.format_exception(error)))
            self._close(status)

    def _close(self, status: str) -> None:
        with self._patience():
            self._writer.close(_PATIENCE)
        if self.lost:
            _logger.warning("MLflow run %s lacks %s", self.id, self._missing())
        with self._patience():
            try:
                if self.lost:
                    self._client.log_batch(self.id, tags=limits.tags({NOT_LOGGED_TAG: self._missing()}))
                self._client.set_terminated(self.id, status)
            except Exception as error:
                _logger.error("MLflow run %s could not be marked as %s: %s", self.id, status, _one_line(error))

    def _patience(self) -> AbstractContextManager[None]:
        """Skip minutes of retries with a store that has failed before."""
        return nullcontext() if self._writer.error is None else impatient()

    def _missing(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.lost.items()) or "what was logged in time"
        return counts if self._writer.error is None else f"{counts} ({_one_line(self._writer.error)})"


def _begin(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, Any], run_id: str | None) -> str:
    entries = limits.tags(tags)
    try:
        if run_id is None:
            return client.create_run(experiment_id, run_name=name, tags={t.key: t.value for t in entries}).info.run_id
        client.update_run(run_id, status="RUNNING")
        client.log_batch(run_id, tags=entries)
        for tag in {FAILURE_TAG, OUTCOME_TAG} & client.get_run(run_id).data.tags.keys():
            client.delete_tag(run_id, tag)
    except Exception as error:
        what = "cannot begin a run" if run_id is None else f"cannot go on with run {run_id!r}"
        raise StoreError(without_password(f"{what} in {tracking_uri()}: {_one_line(error)}")) from error
    return run_id


def _status(error: BaseException | None) -> str:
    statuses = {outcomes.FINISHED: "FINISHED", outcomes.INTERRUPTED: "KILLED", outcomes.PRUNED: "KILLED"}
    return statuses.get(outcomes.outcome(error), "FAILED")


def _one_line(error: BaseException) -> str:
    reason = " ".join(str(error).split())
    return limits.shortened(f"{type(error).__name__}: {reason}", 1000, FAILURE_FILE)
