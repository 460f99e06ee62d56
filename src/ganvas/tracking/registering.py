"""Registering a folder as a model in MLflow: a logged model of its run, and a version of a registered model.

Models are logged by the client, without an active run: resuming a run that has ended would change its status.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.models.signature import infer_signature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient

from ganvas.tracking.outcomes import reason
from ganvas.tracking.store import StoreError, existing_store, open_store, tracking_uri, without_password


def register(
    folder: Path, name: str, run_id: str, experiment: str, loader: str, example: pd.DataFrame, answer: np.ndarray
) -> str:
    """Log a folder as a model of its run, and register it as the next version of ``name``.

    Args:
        folder: data of the model.
        name: name of the registered model; it is created if it does not exist.
        run_id: run that trained the model; a run that this store does not have is left out.
        experiment: experiment of a model without a run.
        loader: Python module whose ``_load_pyfunc`` opens the folder.
        example: example of a request, which is kept with the model.
        answer: the model's answer to it; both give the signature.

    Returns:
        The address of the version, ``models:/NAME/VERSION``.

    Raises:
        StoreError: the store did not accept the model.
    """
    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)  # it tells each step
    try:
        client, experiment_id, source = _place(run_id, experiment)
        logged = client.create_logged_model(experiment_id, name=_logged_name(name), source_run_id=source)
        meta = Model(artifact_path=logged.artifact_location, run_id=source, model_id=logged.model_id)
        with tempfile.TemporaryDirectory(prefix="ganvas-") as scratch, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of integer columns, which could not hold a missing value
            saved = Path(scratch, "model")
            mlflow.pyfunc.save_model(
                saved,
                loader_module=loader,
                data_path=str(folder),
                mlflow_model=meta,
                signature=infer_signature(example, answer),
                input_example=example,
                pip_requirements=[f"ganvas=={version('ganvas')}"],
            )
            client.log_model_artifacts(logged.model_id, str(saved))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
        return _new_version(client, name, source, logged.model_id)
    except MlflowException as error:
        message = f"the MLflow store {tracking_uri()} did not take the model {name!r}: {reason(error)}"
        raise StoreError(without_password(message)) from error


def _place(run_id: str, experiment: str) -> tuple[MlflowClient, str, str | None]:
    """Find where the model belongs: to the experiment of its run, else to an experiment of that name."""
    try:
        client = existing_store()
        return client, client.get_run(run_id).info.experiment_id, run_id
    except (StoreError, MlflowException):
        client, experiment_id = open_store(experiment)
        return client, experiment_id, None


def _logged_name(name: str) -> str:
    """Replace what the name of a logged model may not contain."""
    return "".join("-" if character in "/:.%\"'" else character for character in name)


def _new_version(client: MlflowClient, name: str, run_id: str | None, model_id: str) -> str:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    made = client.create_model_version(name, f"models:/{model_id}", run_id=run_id, model_id=model_id)
    return f"models:/{name}/{made.version}"
