"""Protocol of a ranking's scores, read from a run that has it: one line for the page, and how two differ."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.reports.ranking import Ranking
from ganvas.scoring.protocol import Protocol, require_comparable
from ganvas.scoring.settings import MetricSettings
from ganvas.tracking.log_scores import FOLDER

_FILES = ("result.json", f"{FOLDER}/result.json")
"""Of ``ganvas train`` and of ``ganvas score``."""


def protocol_of(client: MlflowClient, ranking: Ranking) -> Protocol | None:
    """How the scores of a ranking were measured.

    Args:
        client: of the store.
        ranking: of one protocol.

    Returns:
        None where no run's ``result.json`` holds a protocol of that fingerprint (an ELBO has none).
    """
    if not ranking.ranked:
        return None
    run_id = str(ranking.ranked[0].scored["run_id"].iloc[0])
    found = (_protocol(_read(client, run_id, path)) for path in _FILES)
    return next((p for p in found if p is not None and p.fingerprint() == ranking.fingerprint), None)


def protocol_line(protocol: Protocol) -> str:
    """The protocol as a sentence's length allows; the page holds the whole beside it."""
    real = "" if protocol.n_real is None else f"{protocol.n_real:,} "
    drawn = f"{protocol.n_fake:,} generated images ({protocol.weights} weights, seed {protocol.sample_seed})"
    return (
        f"{drawn} against {real}real ones of {protocol.reference}/{protocol.split}; extractor {protocol.extractor} "
        f"({protocol.weights_hash[:8]}); {protocol.library} {protocol.versions[protocol.library]}"
    )


def how_they_differ(protocols: list[Protocol]) -> str:
    """What keeps scores of several protocols from being ranked together: the fields, with both values."""
    try:
        require_comparable(protocols)
    except ValueError as error:
        return str(error)
    return "scores of different protocols do not compare"


def _read(client: MlflowClient, run_id: str, path: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return json.loads(Path(client.download_artifacts(run_id, path, folder)).read_text())
        except (MlflowException, OSError, ValueError):
            return {}


def _protocol(result: dict[str, Any]) -> Protocol | None:
    fields = result.get("protocol")
    try:
        return fields and Protocol(**{**fields, "settings": MetricSettings(**fields["settings"])})
    except (TypeError, ValueError, KeyError):
        return None  # of another version of ganvas: its fingerprint still keeps it apart
