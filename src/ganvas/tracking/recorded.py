"""Reading a run back from the store: its config, result and conditions, and the course of a metric."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ganvas.tracking.artifacts import download
from ganvas.tracking.log_scores import FOLDER
from ganvas.tracking.outcomes import reason
from ganvas.tracking.store import StoreError, existing_store

RERUN_TAG = "ganvas.rerun_of"
RESUMED_FROM_TAG = "ganvas.resumed_from"
_FILES = ("config.yaml", "provenance.json", "result.json")


class RecordError(ValueError):
    """The run does not exist, or it has no result."""

    exit_code = 2


@dataclass(frozen=True)
class Recorded:
    """A finished run.

    Args:
        run_id: MLflow's id of the run.
        config: the resolved config as YAML.
        result: content of ``result.json``.
        conditions: versions, machine, commit and data, by name.
        choices: choice of the config groups model, data and network.
        overrides: arguments of the command line.
    """

    run_id: str
    config: str
    result: dict[str, Any]
    conditions: dict[str, str]
    choices: dict[str, str]
    overrides: list[str]


def recorded(run_id: str) -> Recorded:
    """Read a run from the configured store.

    Args:
        run_id: MLflow's id of the run.

    Raises:
        RecordError: the run does not exist, or it has no result.
        StoreError: the store cannot be read.
    """
    client = existing_store()
    try:
        run = client.get_run(run_id)
        config, provenance, result = (_text(client, run_id, file) for file in _FILES)
    except (MlflowException, OSError) as error:
        raise RecordError(
            f"run_id={run_id!r}: no run that came to its end in this store ({reason(error)}); "
            "give the id of a FINISHED run of ganvas train"
        ) from error
    tags = run.data.tags
    return Recorded(
        run_id=run_id,
        config=config,
        result=json.loads(result),
        conditions=_conditions(run, json.loads(provenance)),
        choices={group: tags[f"ganvas.{group}"] for group in ("model", "data", "network")},
        overrides=tags["ganvas.overrides"].split(),
    )


def told(run_id: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    """Read what the store tells of a run's results and costs; nothing if it cannot be asked or has no such run.

    Args:
        run_id: MLflow's id of a run, or empty.

    Returns:
        The content of ``result.json`` of the training and of the last ``ganvas score``, and the costs by key, as
        ``cost/cpu_hours``; each empty if there is none.
    """
    try:
        client = existing_store()
        run = client.get_run(run_id)
    except (StoreError, MlflowException):
        return {}, {}, {}
    results: list[dict[str, Any]] = [{}, {}]
    for result, file in zip(results, ("result.json", f"{FOLDER}/result.json"), strict=True):
        with suppress(MlflowException, OSError):
            result.update(json.loads(_text(client, run_id, file)))
    costs = {key: value for key, value in run.data.metrics.items() if key.startswith("cost/")}
    return results[0], results[1], costs


def course(run_id: str, key: str) -> tuple[list[int], list[float]]:
    """Read the course of a metric; of two values at the same step the later one counts.

    Args:
        run_id: MLflow's id of a run in the configured store.
        key: key of the metric.

    Returns:
        Images seen in ascending order, and the value at each.
    """
    history = existing_store().get_metric_history(run_id, key)
    latest = {metric.step: metric.value for metric in sorted(history, key=lambda m: m.timestamp)}
    steps = sorted(latest)
    return steps, [latest[step] for step in steps]


def is_unfinished(run_id: str) -> bool:
    """Whether the configured store has a run that did not come to its end: KILLED, FAILED, or left as RUNNING.

    Args:
        run_id: MLflow's id of a run.
    """
    try:
        return existing_store().get_run(run_id).info.status != "FINISHED"
    except (StoreError, MlflowException):
        return False


def mark_rerun(run_id: str, of: str, path: Path) -> None:
    """Mark a run as the repetition of another, and log the comparison.

    Args:
        run_id: id of the new run.
        of: id of the old run.
        path: path of the comparison.
    """
    client = existing_store()
    client.set_tag(run_id, RERUN_TAG, of)
    client.log_artifact(run_id, str(path), "rerun")


def _text(client: MlflowClient, run_id: str, file: str) -> str:
    return download(client, run_id, file).read_text(encoding="utf-8")


def _conditions(run: Run, provenance: dict[str, Any]) -> dict[str, str]:
    found = {f"version of {name}": value for name, value in provenance["versions"].items()}
    found |= {f"machine: {name}": str(value) for name, value in provenance["machine"].items()}
    tags = {"commit": "ganvas.git_commit", "uncommitted changes": "ganvas.git_dirty"}
    found |= {name: run.data.tags.get(tag, "") for name, tag in tags.items()}
    for given in run.inputs.dataset_inputs if run.inputs else []:
        split = next((tag.value for tag in given.tags if tag.key == "mlflow.data.context"), "")
        found[f"data: {given.dataset.name} {split}".strip()] = given.dataset.digest
    return found
