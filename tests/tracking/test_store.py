import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ganvas.tracking.store import StoreError, open_store, tracking_uri, without_password

from ..servers import free_port


def test_default_is_sqlite_in_the_working_folder(store):
    assert tracking_uri() == f"sqlite:///{store}/mlflow.db"


def test_environment_wins_and_relative_files_become_absolute(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    assert tracking_uri() == "http://somewhere:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///sub/other.db")
    assert tracking_uri() == f"sqlite:///{store}/sub/other.db"


def test_experiment_is_found_again_and_its_artifacts_are_absolute(store):
    client, first = open_store("Größe")
    _, again = open_store("Größe")
    assert first == again
    assert client.get_experiment(first).artifact_location == (store / "mlruns").as_uri()


def test_deleted_experiment_is_explained(store):
    client, number = open_store("gone")
    client.delete_experiment(number)
    with pytest.raises(StoreError, match="mlflow experiments restore"):
        open_store("gone")


@pytest.mark.slow
def test_two_processes_create_the_store_at_once(tmp_path):
    folder = tmp_path / "a folder, ümläut"
    folder.mkdir()
    code = "from ganvas.tracking.store import open_store; print(open_store('x')[1])"
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    results = [p.communicate(timeout=60) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert (folder / "mlflow.db").exists()


@pytest.mark.parametrize(
    "scheme", ["http://user:secret@127.0.0.1:{port}", "postgresql://user:secret@127.0.0.1:{port}/db"]
)
def test_unreachable_server_is_named_quickly_without_its_password(store, monkeypatch, scheme):
    uri = scheme.format(port=free_port())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    start = time.monotonic()
    with pytest.raises(StoreError) as caught:
        open_store("x")
    assert time.monotonic() - start < 10
    message = str(caught.value)
    assert without_password(uri) in message and "MLFLOW_TRACKING_URI" in message
    assert "secret" not in message and "\n" not in message
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_silent_server_is_given_up_on(store, monkeypatch):
    monkeypatch.setattr(
        "ganvas.tracking.store._IMPATIENT", {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    )
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{s.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(StoreError):
            open_store("x")
        assert time.monotonic() - start < 5


@pytest.mark.parametrize("uri", ["nonsense://x", "file:///tmp/mlruns", "just/a/path"])
def test_other_stores_are_refused_with_the_alternatives(store, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError, match="sqlite"):
        open_store("x")


def test_folder_that_cannot_be_made(store, monkeypatch):
    Path("plain").write_text("a file")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///plain/mlflow.db")
    with pytest.raises(StoreError, match="plain.*write"):
        open_store("x")


def test_a_start_that_is_stopped_leaves_no_half_made_store(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    made = "mlflow.store.db.utils._upgrade_db"
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(made, lambda engine: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                open_store("x")
    assert not Path("mlflow.db").exists()
    Path(".mlflow.db.new").write_bytes(b"of a start that was killed")
    Path("mlflow.db").touch()
    assert open_store("x")[1]
    assert not list(tmp_path.glob(".mlflow.db*"))


@pytest.mark.parametrize("damage", [(), ("drop table trace_info",), ("drop table metrics",)])
def test_a_half_made_store_is_recognised_and_the_message_mends_it(store, damage):
    with closing(sqlite3.connect("mlflow.db")) as database:
        for line in ("pragma foreign_keys=off", "delete from alembic_version", *damage):
            database.execute(line)
        database.commit()
    # the message of another start is the same, though MLflow's differs
    for _ in range(2):
        with pytest.raises(StoreError, match="half made.*no run") as caught:
            open_store("x")
        assert caught.value.exit_code == 2
    subprocess.run(str(caught.value).rpartition("start again: ")[2], shell=True, check=True)
    assert not Path("mlflow.db").exists() and Path("mlflow.db.broken").exists()


def test_file_that_is_no_database(store, monkeypatch):
    Path("text.db").write_text("not a database" * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///text.db")
    start = time.monotonic()
    with pytest.raises(StoreError, match="not a database"):
        open_store("x")
    assert time.monotonic() - start < 5
