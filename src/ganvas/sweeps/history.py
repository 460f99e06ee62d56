"""Scores in training of the few runs that a plot shows: one call a run, so that none is made for the others."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from mlflow.tracking import MlflowClient

COLUMNS = ("run_id", "step", "seconds", "value")


def histories(client: MlflowClient, runs: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """A score's course.

    Args:
        client: of the store.
        runs: rows of the tidy table.
        keys: of metrics; a run's values of all of them make one course.

    Returns:
        Columns ``run_id``, ``step`` (images seen), ``seconds`` (since the run began, pauses included), ``value``; by
        run and step, without NaN.
    """
    points = [
        (run_id, metric.step, (metric.timestamp - start) / 1000, metric.value)
        for run_id, start in zip(runs["run_id"].astype(str), runs["start"].astype(int), strict=True)
        for key in keys
        for metric in client.get_metric_history(run_id, key)
    ]
    table = pd.DataFrame(points, columns=list(COLUMNS)).dropna()
    return table.sort_values(["run_id", "step"]).drop_duplicates(["run_id", "step"], keep="last")
