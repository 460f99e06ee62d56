"""Adding scores to a run that has ended; its status stays as it is."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

from ganvas.tracking import limits
from ganvas.tracking.outcomes import reason
from ganvas.tracking.store import StoreError, impatient, tracking_uri, without_password

FOLDER = "scores"
"""Among the run's artifacts."""
PROTOCOL_TAG = "ganvas.protocol"
"""With ``.<score>`` after it, the fingerprint of that score."""


def log_scores(
    run_id: str, values: Mapping[str, float], tags: Mapping[str, Any], files: Iterable[Path], step: int
) -> None:
    """Log metrics, tags and files; all are in the store when this returns.

    Args:
        run_id: of a run that exists.
        values: by key; SQL has no infinity, which is logged as NaN.
        tags: by name.
        files: go to the folder ``scores`` of the artifacts.
        step: images seen.

    Raises:
        StoreError: the store did not take them.
    """
    now = int(time.time() * 1000)
    metrics = [Metric(limits.key(k), v if math.isfinite(v) else math.nan, now, step) for k, v in values.items()]
    client = MlflowClient(tracking_uri())
    try:
        with impatient():
            client.log_batch(run_id, metrics=metrics, tags=limits.tags(tags, where="result.json"))
            for path in files:
                client.log_artifact(run_id, str(path), FOLDER)
    except Exception as error:
        message = f"the scores were measured, but the MLflow store {tracking_uri()} did not take them: {reason(error)}"
        raise StoreError(without_password(message)) from error


def protocol_tags(fingerprints: Mapping[str, str]) -> dict[str, str]:
    """The tag of each score's fingerprint.

    Args:
        fingerprints: by key of the score.
    """
    return {f"{PROTOCOL_TAG}.{key}": digits for key, digits in fingerprints.items()}
