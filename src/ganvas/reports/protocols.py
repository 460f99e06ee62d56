"""Protocol of a ranking's scores: reading it from a run, one line of text about it, and differences of protocols."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.nested import leaves
from ganvas.reports.ranking import Ranking
from ganvas.scoring.protocol import Protocol, require_comparable
from ganvas.tracking.log_scores import FOLDER

_TOLD = ("metric", "revision", "weights", "split", "preprocessing")
"""Conditions that :func:`protocol_line` says in words, or that are too long for it, as hashes are."""
_HASH = 64
SEARCHED = 24
"""Largest number of runs that are searched for floor and ceiling."""
_FILES = ("result.json", f"{FOLDER}/result.json")
"""Files among a run's artifacts that hold protocols: of ``ganvas train``, and of ``ganvas score``."""


def protocol_of(client: MlflowClient, ranking: Ranking) -> Protocol | None:
    """Read the protocol of a ranking's scores from its best configuration.

    Args:
        client: client of the MLflow store.
        ranking: ranking of the scores of one protocol.

    Returns:
        The protocol; None if no ``result.json`` of that run holds it.
    """
    if not ranking.ranked:
        return None
    run_id = str(ranking.ranked[0].scored["run_id"].iloc[0])
    score = ranking.score.replace("best/", "score/", 1)  # best/ and score/ share one protocol
    found = (_protocol(_read(client, run_id, path), score) for path in _FILES)
    return next((p for p in found if p is not None and p.fingerprint() == ranking.fingerprint), None)


@dataclass(frozen=True)
class Calibration:
    """Scores of stand-ins for the generated images, by the protocol of a ranking.

    Args:
        floor: score of real training images; None if it is not known.
        ceiling: score of noise, or of real images of one class; None if it is not known.
        of: description of the images, by ``floor`` and ``ceiling``.
    """

    floor: float | None
    ceiling: float | None
    of: dict[str, str]

    @property
    def sides(self) -> dict[str, float]:
        """The known ones by name."""
        both = {"floor": self.floor, "ceiling": self.ceiling}
        return {name: value for name, value in both.items() if value is not None}


def calibration_of(client: MlflowClient, ranking: Ranking) -> Calibration:
    """Find floor and ceiling of a ranking's score, which depend on the protocol and not on the run.

    ``ganvas score`` measures them; the first runs of the ranking are searched for its results.

    Args:
        client: client of the MLflow store.
        ranking: ranking of the scores of one protocol.
    """
    score = ranking.score.replace("best/", "score/", 1)
    runs = [str(run_id) for c in ranking.ranked for run_id in c.scored["run_id"]][:SEARCHED]
    for result in (_read(client, run_id, path) for run_id in runs for path in reversed(_FILES)):
        known = result.get("calibration", {})
        floor, ceiling = (known.get(side, {}).get(score) for side in ("floor", "ceiling"))
        protocol = _protocol(result, score)
        if protocol is not None and protocol.fingerprint() == ranking.fingerprint and (floor, ceiling) != (None, None):
            return Calibration(floor, ceiling, known.get("of", {}))
    return Calibration(None, None, {})


def protocol_line(protocol: Protocol) -> str:
    """Describe the protocol in one line; the page also shows the whole protocol."""
    stated, recorded = protocol.conditions, protocol.recorded
    weights = f"{stated['weights']} weights"
    if "n_real" not in stated:
        told = {name: str(value) for name, value in leaves(stated) if name not in _TOLD}
        rest = ", ".join(f"{name} {value}" for name, value in told.items() if len(value) < _HASH)
        return f"{weights}, {recorded['reference']}/{stated['split']}; {rest}"
    real = "" if stated.get("n_real") is None else f"{stated['n_real']:,} "
    drawn = f"{stated['n_fake']:,} generated images ({weights}, seed {recorded['sample_seed']})"
    if stated["weights"] == "images":
        drawn = f"{stated['n_fake']:,} images from files"
    library = stated.get("library", "")
    return (
        f"{drawn} against {real}real ones of {recorded['reference']}/{stated['split']}; extractor "
        f"{stated['extractor']} ({stated['weights_hash'][:8]}); {library}"
    )


def how_they_differ(protocols: list[Protocol]) -> str:
    """Name the conditions in which protocols differ, with both values."""
    try:
        require_comparable(protocols)
    except ValueError as error:
        return str(error)
    return "scores of different protocols cannot be compared"


def _read(client: MlflowClient, run_id: str, path: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return json.loads(Path(client.download_artifacts(run_id, path, folder)).read_text())
        except (MlflowException, OSError, ValueError):
            return {}


def _protocol(result: dict[str, Any], score: str) -> Protocol | None:
    found = result.get("protocols", {}).get(score)
    return None if found is None else Protocol.read(found)
