"""Samples of processor, memory, disk and network, as MLflow's own monitor takes them."""

from __future__ import annotations

import logging
import time
from typing import final

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from ganvas.tracking.store import tracking_uri

_logger = logging.getLogger("ganvas.tracking")

_INTERVAL = 10.0
"""Seconds between two samples."""


@final
class SystemMetrics:
    """Takes samples when they are due.

    Args:
        run_id: id of the run.
    """

    def __init__(self, run_id: str) -> None:
        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # says at length that there is no GPU
        self._monitor: SystemMetricsMonitor | None = SystemMetricsMonitor(run_id, tracking_uri=tracking_uri())
        self._sampled = time.monotonic()

    def sample(self) -> dict[str, float]:
        """Take a sample; none if none is due, or if the system gives none."""
        if self._monitor is None or time.monotonic() - self._sampled < _INTERVAL:
            return {}
        self._sampled = time.monotonic()
        try:
            self._monitor.collect_metrics()
            values = self._monitor.aggregate_metrics()
            for part in self._monitor.monitors:
                part.clear_metrics()
        except Exception as error:
            self._monitor = None
            _logger.warning("no system metrics: %s", error)
            return {}
        return {f"system/{name}": float(value) for name, value in values.items()}
