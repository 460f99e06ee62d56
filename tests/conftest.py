"""What several suites share: a ready SQLite store in an empty working folder."""

import os
import shutil

import pytest
from mlflow.tracking import MlflowClient

from ganvas.tracking.store import open_store

# No test may wait for a server that it cannot reach.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Creating the tables takes seconds: once a session."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        open_store("template")
        assert MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
    return folder / "mlflow.db"


@pytest.fixture
def store(template, tmp_path, monkeypatch):
    shutil.copy(template, tmp_path / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path
