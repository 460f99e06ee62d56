"""What is known of a model besides its weights: scores with their protocols, findings, and the cost of the training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from ganvas.scoring.subjects import ModelSubject
from ganvas.tracking.recorded import told

_MERGED: Final = ("scores", "uncertainty", "protocols", "fingerprints", "findings")


@final
@dataclass(frozen=True)
class Record:
    """Results of a model, as ``result.json`` holds them.

    Args:
        name: name of the run; empty if it is not known.
        scores: by key ``score/<extractor>/<metric>``: ``value`` and ``interval``.
        uncertainty: what each interval is over, by key.
        protocols: protocol of each score, by key.
        fingerprints: fingerprint of each protocol, by key.
        floor: scores of real images, by key.
        ceiling: scores of noise or of one mode, by key.
        stand_ins: what was scored for ``floor`` and ``ceiling``.
        findings: findings of the health checks, by name.
        costs: by key, as ``cost/energy_kwh``.
    """

    name: str
    scores: dict[str, Any]
    uncertainty: dict[str, str]
    protocols: dict[str, Any]
    fingerprints: dict[str, str]
    floor: dict[str, float]
    ceiling: dict[str, float]
    stand_ins: dict[str, str]
    findings: dict[str, Any]
    costs: dict[str, float]


def record_of(subject: ModelSubject) -> Record:
    """Collect the record of a model from the store and from the files beside its checkpoint.

    Args:
        subject: the model; scores of other weights of its run are left out.
    """
    run_id = str(subject.origin.get("run_id", ""))
    trained, scored, costs = told(run_id)
    trained = trained or _beside(Path(subject.name), run_id)
    results = [_of_weights(trained, subject.images_seen)]
    if trained.get("images_seen") == subject.images_seen:
        results.append(scored)  # of the final weights, and the last word: it has floor and ceiling
    merged = {part: _merged(results, part) for part in _MERGED}
    levels = [result.get("calibration", {}) for result in results]
    floor, ceiling, of = (_merged(levels, name) for name in ("floor", "ceiling", "of"))
    return Record(trained.get("name", ""), **merged, floor=floor, ceiling=ceiling, stand_ins=of, costs=costs)


def _merged(results: Iterable[Mapping[str, Any]], part: str) -> dict[str, Any]:
    return {key: value for result in results for key, value in result.get(part, {}).items()}


def _beside(path: Path, run_id: str) -> dict[str, Any]:
    """Read the ``result.json`` of the training whose output folder a checkpoint lies in; empty if there is none."""
    folder = path if path.is_dir() else path.parent
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError):
        return {}
    return result if isinstance(result, dict) and run_id and result.get("run_id") == run_id else {}


def _of_weights(trained: Mapping[str, Any], images_seen: int) -> Mapping[str, Any]:
    """Take what a training says of its weights after ``images_seen``: the final ones, or the best checkpoint's."""
    if trained.get("images_seen") == images_seen:
        return trained
    best = trained.get("best") or {}
    if best.get("images_seen") != images_seen:
        return {}
    scores = {key.replace("best/", "score/", 1): value for key, value in best["scores"].items()}
    return {**trained, "scores": scores, "findings": {}, "calibration": {}}
