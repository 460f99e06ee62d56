"""The course of one metric of one run, read back from the store."""

from __future__ import annotations

from ganvas.tracking.store import existing_store


def course(run_id: str, key: str) -> tuple[list[int], list[float]]:
    """Images seen, and the metric's values there, in order; the latest value where one was logged twice.

    Args:
        run_id: of a run in the configured store.
        key: of the metric.
    """
    history = existing_store().get_metric_history(run_id, key)
    latest = {metric.step: metric.value for metric in sorted(history, key=lambda m: m.timestamp)}
    steps = sorted(latest)
    return steps, [latest[step] for step in steps]
