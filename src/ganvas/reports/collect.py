"""Runs of a study from MLflow as one tidy table, a row for each seed of each configuration.

The store is queried in pages of a thousand runs, never run by run. A run's ``outcome`` is ``finished`` or one of
``nan``, ``error``, ``pruned``, ``interrupted``, ``running``, with a reason. A seed that was trained several times has
one row, that of the last run that finished, else that of the last run; ``attempts`` is the number of runs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from ganvas.health.findings import HEALTH_TAG
from ganvas.sweeps.overrides import decides, join_overrides, split_overrides, swept
from ganvas.tracking.hierarchy import (
    CONFIGURATION,
    CONFIGURATION_TAG,
    FAILURE_TAG,
    LABEL_TAG,
    OUTCOME_TAG,
    ROLE,
    SEED_TAG,
    STUDY,
    STUDY_TAG,
)
from ganvas.tracking.log_scores import PROTOCOL_TAG

PAGE = 1000
_WHOLE = re.compile(r"\s*-?\d{1,18}\s*")
PARAM = "param/"
SCORE = "score/"
_KEPT = (SCORE, "best/", "selection/", "gap/", "cost/", "val/")
_OUTCOMES = {"FINISHED": "finished", "KILLED": "interrupted", "RUNNING": "running", "SCHEDULED": "running"}


class StudyError(ValueError):
    """Raised if there is no such study, or if it has nothing to report."""

    exit_code = 2


def study_runs(client: MlflowClient, study: str) -> list[Run]:
    """Find all runs with the study's tag, of any role and in any experiment, the oldest first.

    Args:
        client: client of the MLflow store.
        study: name of the study.

    Raises:
        StudyError: a name that MLflow cannot search for.
    """
    if "'" in study or '"' in study:
        raise StudyError(f"study names have no quotes, got {study!r}; rename its tag {STUDY_TAG} in MLflow")
    experiments = [e.experiment_id for e in _pages(client.search_experiments)]
    query = {"experiment_ids": experiments, "filter_string": f"tags.`{STUDY_TAG}` = '{study}'"}
    runs = list(_pages(client.search_runs, **query)) if experiments else []
    return sorted(runs, key=lambda run: run.info.start_time or 0)


def left_out(runs: list[Run]) -> list[str]:
    """Say which runs the tidy table leaves out, and why, in one sentence each.

    Args:
        runs: runs of one study, of any role.
    """
    bad = [run for run in _seed_runs(runs) if _seed(run) is None]
    return [
        f"run {run.info.run_id} is left out: its tag {SEED_TAG} is {run.data.tags[SEED_TAG]!r}, expected a whole number"
        for run in bad
    ]


def tidy(runs: list[Run]) -> pd.DataFrame:
    """Make the tidy table, one row for each seed of each configuration.

    Args:
        runs: runs of one study, of any role; those that :func:`left_out` names have no row.

    Returns:
        Columns ``run_id``, ``study``, ``configuration``, ``label``, ``seed``, ``outcome``, ``reason``, ``model``,
        ``images``, ``wall_seconds``, ``protocol``, ``warnings`` (health checks that warn), ``start``, ``attempts``,
        ``experiment``, ``artifacts`` (ids and address in MLflow); a column for each score (``score/...``,
        ``best/...``, ``selection/...``, last ``val/...``), gap (``gap/...``) and cost (``cost/...``); a column
        ``param/<key>`` for each key whose value differs among configurations. Empty without a seed run.
    """
    seeds = [(run, _seed(run)) for run in _seed_runs(runs)]
    table = pd.DataFrame([_row(run, seed) for run, seed in seeds if seed is not None])
    if table.empty:
        return table
    table = _one_row_a_seed(table)
    overrides = [split_overrides(text) for text in table["overrides"]]
    keys = [key for key in swept(overrides) if decides(key)]
    for key in keys:
        table[PARAM + key] = pd.Series([values.get(key) for values in overrides], index=table.index, dtype=object)
    labels = [join_overrides({key: values[key] for key in keys if key in values}) for values in overrides]
    table["label"] = [label or model for label, model in zip(labels, table["model"], strict=True)]
    return table.drop(columns="overrides")


def protocol_fingerprint(table: pd.DataFrame, score: str) -> pd.Series:
    """Return the protocol fingerprint of one score for each row; None if a run has none.

    Args:
        table: tidy table, as :func:`tidy` returns it.
        score: key of the score.
    """
    return pd.Series([digits.get(score) for digits in table["protocol"]], index=table.index)


def _pages(search: Any, **query: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token, **query)
        yield from page
        token = page.token
        if not token:
            return


def _seed_runs(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.data.tags.get(ROLE) not in (STUDY, CONFIGURATION)]


def _seed(run: Run) -> int | None:
    """Read the seed of a run; None if somebody has tagged the run with something else than a whole number."""
    text = run.data.tags.get(SEED_TAG, "0")
    return int(text) if _WHOLE.fullmatch(text) else None


def _row(run: Run, seed: int) -> dict[str, Any]:
    tags, info = run.data.tags, run.info
    end = info.end_time or info.start_time
    overrides = {key: value for key, value in split_overrides(_asked(run)).items() if decides(key)}
    return {
        "run_id": info.run_id,
        "study": tags.get(STUDY_TAG, ""),
        "configuration": tags.get(CONFIGURATION_TAG) or _configuration(run),
        "overrides": join_overrides(overrides),
        "seed": seed,
        "outcome": _outcome(run),
        "reason": tags.get(FAILURE_TAG, ""),
        "model": tags.get("ganvas.model", ""),
        "images": _images(run),
        "wall_seconds": (end - info.start_time) / 1000,
        "protocol": _protocols(tags),
        "warnings": _warnings(tags),
        "start": info.start_time,
        "experiment": info.experiment_id,
        "artifacts": info.artifact_uri,
        **{key: value for key, value in run.data.metrics.items() if key.startswith(_KEPT)},
    }


def _asked(run: Run) -> str:
    return run.data.tags.get(LABEL_TAG) or run.data.tags.get("ganvas.overrides", "")


def _configuration(run: Run) -> str:
    """Identify the configuration of a run outside sweeps by a hash of the parameters that can change a score."""
    facts = {key: value for key, value in sorted(run.data.params.items()) if decides(key)}
    facts = facts or {"overrides": _asked(run), "model": run.data.tags.get("ganvas.model", "")}
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _outcome(run: Run) -> str:
    tags, status = run.data.tags, run.info.status
    if status == "FINISHED":
        return "finished"
    if OUTCOME_TAG in tags:
        return tags[OUTCOME_TAG]
    if tags.get(FAILURE_TAG, "").startswith("NonFiniteError"):
        return "nan"
    return _OUTCOMES.get(status, "error")


def _images(run: Run) -> int:
    # Only the metric entities have the step of a last value; the dictionary of values does not.
    return max((metric.step for metric in run.data._metric_objs), default=0)


def _protocols(tags: dict[str, str]) -> dict[str, str]:
    """Return the fingerprints by score."""
    prefix = f"{PROTOCOL_TAG}."
    return {key.removeprefix(prefix): value for key, value in tags.items() if key.startswith(prefix)}


def _warnings(tags: dict[str, str]) -> tuple[str, ...]:
    """Return the names of the health checks that warn."""
    return tuple(
        sorted(key.removeprefix(HEALTH_TAG) for key in tags if key.startswith(HEALTH_TAG) and tags[key] == "warn")
    )


def _one_row_a_seed(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one run for each seed, since counting two runs of a seed would make intervals too short."""
    identity = ["study", "configuration", "seed"]
    table["attempts"] = table.groupby(identity)["run_id"].transform("count")
    table["_done"] = table["outcome"] == "finished"
    ranked = table.sort_values(["_done", "start"], kind="stable").drop_duplicates(identity, keep="last")
    return ranked.sort_values(["start", "seed"], kind="stable").drop(columns="_done").reset_index(drop=True)
