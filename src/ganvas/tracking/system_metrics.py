"""Samples of processor, memory, disk, network and GPU, by MLflow's own monitors; no store is opened for them."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, final

from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
from mlflow.system_metrics.metrics.rocm_monitor import ROCMMonitor

_logger = logging.getLogger("ganvas.tracking")

_INTERVAL = 10.0
"""Seconds between two samples."""


@final
class SystemMetrics:
    """Takes samples when they are due."""

    def __init__(self) -> None:
        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
        self._monitors: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor(), *_gpu()]
        self._sampled = time.monotonic()

    def sample(self) -> dict[str, float]:
        """Take a sample; none if none is due, or if the system gives none."""
        if not self._monitors or time.monotonic() - self._sampled < _INTERVAL:
            return {}
        self._sampled = time.monotonic()
        values: dict[str, float] = {}
        try:
            for monitor in self._monitors:
                monitor.collect_metrics()
                values |= monitor.aggregate_metrics()
                monitor.clear_metrics()
        except Exception as error:
            self._monitors = []
            _logger.warning("no system metrics: %s", error)
            return {}
        return {f"system/{name}": float(value) for name, value in values.items()}


def _gpu() -> list[Any]:
    """Monitor of the GPU, if there is one and the package that reads it is installed."""
    for kind in (GPUMonitor, ROCMMonitor):
        with suppress(Exception):
            return [kind()]
    return []
