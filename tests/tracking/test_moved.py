"""A moved project, and copies of artifacts: nothing is written to where the project was, and nothing stays behind."""

import shutil
import sqlite3
import subprocess
import sys

import pytest
from mlflow.tracking import MlflowClient

from ganvas.storage.checkpoints import CheckpointError
from ganvas.tracking import artifacts
from ganvas.tracking.artifacts import checkpoint_path
from ganvas.tracking.store import open_store, tracking_uri


@pytest.fixture
def run_in_a(template, tmp_path, monkeypatch):
    """A run with a checkpoint, recorded in folder `a`."""
    (tmp_path / "a").mkdir()
    shutil.copy(template, tmp_path / "a" / "mlflow.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path / "a")
    client, experiment = open_store("e")
    run_id = client.create_run(experiment).info.run_id
    (tmp_path / "last.ckpt").write_text("weights")
    client.log_artifact(run_id, str(tmp_path / "last.ckpt"), "checkpoints")
    return run_id


def moved(tmp_path, monkeypatch, name="b ö"):
    (tmp_path / "a").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    return tmp_path / name


def test_a_moved_project_finds_its_artifacts_and_writes_beside_them(run_in_a, tmp_path, monkeypatch, capsys):
    home = moved(tmp_path, monkeypatch)
    assert checkpoint_path(run_in_a).read_text() == "weights"
    assert "was moved" in capsys.readouterr().err
    client, experiment = open_store("e")
    again = client.create_run(experiment).info
    client.log_text(again.run_id, "new", "new.txt")
    assert (home / "mlruns" / again.run_id / "artifacts" / "new.txt").is_file()
    assert not (tmp_path / "a").exists() and capsys.readouterr().err == ""


def test_a_copied_project_still_points_to_the_first(run_in_a, tmp_path, monkeypatch):
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    monkeypatch.chdir(tmp_path / "c")
    assert str(checkpoint_path(run_in_a)).startswith(str(tmp_path / "a"))


def test_artifacts_on_a_disk_that_is_away_are_not_given_another_place(run_in_a, tmp_path, monkeypatch):
    home = moved(tmp_path, monkeypatch)
    shutil.move(home / "mlruns", tmp_path / "elsewhere")
    (home / "mlruns" / "another").mkdir(parents=True)
    with pytest.raises(CheckpointError):
        checkpoint_path(run_in_a)
    with sqlite3.connect(home / "mlflow.db") as store:
        (address,) = store.execute("SELECT artifact_uri FROM runs").fetchone()
    assert address.startswith((tmp_path / "a").as_uri())


def test_a_file_that_is_no_store_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlflow.db").write_text("no database")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        checkpoint_path("abc")
    assert (tmp_path / "mlflow.db").read_text() == "no database"


def test_a_source_that_does_not_exist_creates_no_store(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="'abc' is neither a checkpoint nor a run"):
        checkpoint_path("abc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_copies_of_artifacts_end_with_the_process(run_in_a, tmp_path):
    """A store whose artifacts are not files here: each is copied, and the copy is deleted at the end."""
    code = f"""
from unittest import mock
from mlflow.tracking import MlflowClient
from ganvas.tracking.artifacts import checkpoint_path
true = MlflowClient.get_run
def elsewhere(self, run_id):
    run = true(self, run_id)
    run.info._artifact_uri = "mlflow-artifacts:/x"
    return run
def copied(self, run_id, path, folder=None):
    assert folder is not None
    from pathlib import Path
    (Path(folder) / "checkpoints").mkdir(exist_ok=True)
    (Path(folder) / path).write_text("copy")
    return str(Path(folder) / path)
with mock.patch.multiple(MlflowClient, get_run=elsewhere, download_artifacts=copied):
    first, second = checkpoint_path("{run_in_a}"), checkpoint_path("{run_in_a}")
assert first == second and first.read_text() == "copy"
print(first)
"""
    (tmp_path / "tmp").mkdir()
    environment = {"TMPDIR": str(tmp_path / "tmp"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = ":".join(p for p in sys.path if p)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "tmp"))
    assert [p.name for p in (tmp_path / "tmp").iterdir() if p.name.startswith("ganvas")] == []


def test_artifacts_that_are_files_here_are_not_copied(run_in_a, tmp_path):
    run = MlflowClient(tracking_uri()).get_run(run_in_a)
    path = artifacts.download(MlflowClient(tracking_uri()), run_in_a, "checkpoints/last.ckpt")
    assert path.as_uri() == f"{run.info.artifact_uri}/checkpoints/last.ckpt"
