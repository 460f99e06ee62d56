"""Addresses of training runs and of saved views in MLflow's UI."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from mlflow.entities import Experiment
from mlflow.tracking import MlflowClient

from ganvas.tracking.store import existing_store, tracking_uri
from ganvas.tracking.views import PREFIX, study_names

LOCAL: Final = "http://127.0.0.1:5000"
"""Where ``ganvas ui`` serves."""


def of_last_experiment(server: str) -> dict[str, str]:
    """Find the addresses in the experiment that was used last: all its runs, then its saved views, the best runs first.

    Args:
        server: address of MLflow's server.

    Returns:
        Addresses by name; empty if no experiment has a run.

    Raises:
        StoreError: the store does not exist or cannot be reached.
    """
    experiment = _used_last(existing_store())
    if experiment is None:
        return {}
    return {f"all runs of {experiment.name}": _address(experiment, server)} | _views(experiment, server)


def of_run(run_id: str, study: str) -> dict[str, str]:
    """Find the addresses of the saved views that show a run.

    Args:
        run_id: MLflow's id of the run.
        study: name of its study; empty without one.

    Returns:
        Addresses by name, on the store's own server if it has one, else where ``ganvas ui`` serves.

    Raises:
        Exception: the store does not have the run, or cannot be reached.
    """
    client = existing_store()
    experiment = client.get_experiment(client.get_run(run_id).info.experiment_id)
    found = _views(experiment, tracking_uri() if has_server() else LOCAL)
    return {name: url for name, url in found.items() if not name.startswith("Study ") or name in study_names(study)}


def has_server() -> bool:
    """Whether the store is a server, which has a UI of its own."""
    return tracking_uri().startswith("http")


def _views(experiment: Experiment, server: str) -> dict[str, str]:
    """Addresses of the saved views, the best runs first."""
    found = {}
    for key, value in experiment.tags.items():
        if key.startswith(PREFIX) and (name := _name(value)):
            shared = f"viewStateShareKey={quote(key.removeprefix(PREFIX), safe='')}&"
            found[name] = _address(experiment, server, shared)
    return dict(sorted(found.items(), key=lambda view: not view[0].startswith("Best by")))


def _name(value: str) -> str:
    try:
        return str(json.loads(value)["name"])
    except (ValueError, KeyError, TypeError):  # a view that an older MLflow saved has no name
        return ""


def _address(experiment: Experiment, server: str, query: str = "") -> str:
    """Without the last part of the query MLflow would open prompts and traces."""
    return f"{server.rstrip('/')}/#/experiments/{experiment.experiment_id}/runs?{query}workflowType=machine_learning"


def _used_last(client: MlflowClient) -> Experiment | None:
    experiments = {experiment.experiment_id: experiment for experiment in client.search_experiments()}
    newest = ["attributes.start_time DESC"]
    runs = client.search_runs(list(experiments), order_by=newest, max_results=1) if experiments else []
    return experiments[runs[0].info.experiment_id] if runs else None
