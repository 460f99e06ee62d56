"""A training that logs to a real MLflow server on PostgreSQL, while one part of it after the other goes away."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.tracking.store import tracking_uri

from ..histories import history, numbers
from ..servers import mlflow_server, postgresql
from ..tiny import TINY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LINE = ["train", *TINY, "model=vae", "log.every=64", "checkpoint.every=1280", "score.every=6400", "grid.every=3200"]
BUDGET = "budget.images=19_200"


class Place:
    """PostgreSQL, a server on it and its folder of artifacts."""

    def __init__(self, database, server):
        self.database, self.server, self.folder = database, server, Path(server.artifacts)
        self.away = self.folder.with_name("away")

    def hide_artifacts(self):
        self.folder.rename(self.away)
        self.folder.write_text("in the way: an account with all rights could make the folder again")

    def show_artifacts(self):
        self.folder.unlink()
        self.away.rename(self.folder)

    def restart_database(self):
        self.database.stop()
        time.sleep(3)
        self.database.start()

    def restart_server(self):
        self.server.kill()
        self.server.start()

    def freeze(self):
        self.server.signal(signal.SIGSTOP)
        time.sleep(10)
        self.server.signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with postgresql() as database:
        folder = tmp_path_factory.mktemp("served")
        with mlflow_server(database.database("mlflow"), folder / "artifacts") as server:
            yield Place(database, server)


@pytest.fixture(scope="module")
def whole(place, tmp_path_factory):
    """The history of a training that nothing disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", place.server.uri)
        patch.chdir(tmp_path_factory.mktemp("whole"))
        assert main([*LINE, BUDGET, "paths.output=out"]) == 0
        return history(run_of("out"))


@pytest.fixture(autouse=True)
def in_a_folder(place, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.server.uri)
    monkeypatch.chdir(tmp_path)


def run_of(output):
    return json.loads(Path(output, "result.json").read_text())["run_id"]


def train(disturb):
    """Train, and call a function after the first checkpoint."""

    def wait_and_disturb():
        while not Path("out/last.ckpt").exists():
            time.sleep(0.02)
        disturb()

    thread = threading.Thread(target=wait_and_disturb)
    thread.start()
    code = main([*LINE, BUDGET, "paths.output=out"])
    thread.join()
    return code


def is_as(whole):
    status = MlflowClient(tracking_uri()).get_run(run_of("out")).info.status
    return status == "FINISHED" and history(run_of("out")) == whole


def test_a_server_that_hangs_for_ten_seconds_costs_nothing(place, whole):
    assert train(place.freeze) == 0
    assert is_as(whole) and main(["sync", "out"]) == 0


@pytest.mark.parametrize("disturbance", [Place.restart_server, Place.restart_database])
def test_the_exit_code_says_whether_a_restart_left_something_behind(place, whole, disturbance):
    code = train(lambda: disturbance(place))
    assert code == (0 if is_as(whole) else 1)
    assert main(["sync", "out"]) == 0
    assert is_as(whole)


@pytest.mark.parametrize(
    ("go", "come"),
    [
        (lambda place: place.server.kill(), lambda place: place.server.start()),
        (lambda place: place.database.stop(), lambda place: place.database.start()),
        (Place.hide_artifacts, Place.show_artifacts),
    ],
    ids=["server", "database", "artifacts"],
)
def test_what_a_store_that_is_gone_lacks_is_delivered_when_it_is_back(place, whole, go, come, capfd):
    assert train(lambda: go(place)) == 1
    assert "ganvas sync" in capfd.readouterr().err
    if go is Place.hide_artifacts:  # the numbers are another queue
        assert numbers(run_of("out")) == whole[0]
    assert main(["sync", "out"]) == 1
    come(place)
    assert main(["sync", "out"]) == 0 and main(["sync", "out"]) == 0
    assert is_as(whole)
    saved = MlflowClient(tracking_uri()).download_artifacts(run_of("out"), "checkpoints/last.ckpt", str(Path.cwd()))
    assert Path(saved).read_bytes() == Path("out/last.ckpt").read_bytes()
