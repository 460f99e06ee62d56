"""A report's files on the study's run in MLflow, which is made where a study has none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlflow.tracking import MlflowClient

from ganvas.reports.studies import Studies
from ganvas.tracking.hierarchy import ROLE, STUDY, STUDY_TAG
from ganvas.tracking.store import StoreError, impatient, tracking_uri, without_password

FOLDER = "report"
"""Among the study run's artifacts."""


def publish(client: MlflowClient, studies: Studies, files: Iterable[Path]) -> dict[str, str]:
    """Log the files to each study's run.

    Args:
        client: of the store.
        studies: what the report is on.
        files: of the report; a report on several studies goes to a folder that names them all.

    Returns:
        Id of each study's run.

    Raises:
        StoreError: the store did not take them.
    """
    folder = FOLDER if len(studies.names) == 1 else f"{FOLDER}-{'+'.join(studies.names)}"
    paths = list(files)
    try:
        with impatient():
            found = {name: _record(client, studies, name) for name in studies.names}
            for run_id in found.values():
                for path in paths:
                    client.log_artifact(run_id, str(path), folder)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:400]
        message = f"the report is written, but the MLflow store {tracking_uri()} did not take it: {reason}"
        raise StoreError(without_password(message)) from error
    return found


def _record(client: MlflowClient, studies: Studies, name: str) -> str:
    if name in studies.records:
        return studies.records[name].info.run_id
    some = studies.table["run_id"][studies.table["study"] == name].iloc[0]
    experiment = client.get_run(str(some)).info.experiment_id
    run = client.create_run(experiment, run_name=name, tags={ROLE: STUDY, STUDY_TAG: name})
    client.set_terminated(run.info.run_id)
    return run.info.run_id
