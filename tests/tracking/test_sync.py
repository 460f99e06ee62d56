"""Whatever happens between a run and its store: after `ganvas sync` no point is missing and none is there twice."""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.tracking.delivery import Delivery
from ganvas.tracking.journal import Journal, journals
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.owner import Owner
from ganvas.tracking.store import StoreError, tracking_uri
from ganvas.tracking.sync import NotDeliveredError, deliver_earlier, end_dead_runs, require_delivered, sync, undelivered

STEPS = range(0, 400, 4)


@pytest.fixture(autouse=True)
def in_a_store(store, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.courier._LAST_TRIES", 1)
    return store


def start(**arguments):
    return MlflowRun.start("test", "a run", {"fact": "x"}, **{"output": Path("outputs/a"), **arguments})


def log(run, steps=STEPS):
    for step in steps:
        run.metrics({"train/a": step / 3, "train/b": -step}, step=step)


def is_whole(run_id, steps=STEPS, uri=None):
    client = MlflowClient(uri or tracking_uri())
    for key, value in (("train/a", lambda s: s / 3), ("train/b", lambda s: -s)):
        history = sorted((m.step, m.value) for m in client.get_metric_history(run_id, key))
        assert history == [(step, value(step)) for step in steps]
    return client.get_run(run_id)


def all_runs():
    client = MlflowClient(tracking_uri())
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


def synced(folder="outputs", **options):
    return list(sync(Path(folder), **options))


def test_a_store_that_refuses_all_gets_all_later(monkeypatch):
    with monkeypatch.context() as patch, start() as run:
        patch.setattr("mlflow.tracking.MlflowClient.log_batch", lambda *a, **k: 1 / 0)
        log(run)
        with pytest.raises(StoreError, match="200 metrics"):
            run.flush()
    assert undelivered(Path("outputs")) == [Path("outputs/a")]
    with pytest.raises(NotDeliveredError, match="ganvas sync outputs"):
        require_delivered(Path("outputs"))
    (one,) = synced()
    assert one.problem == "" and dict(one.delivered) == {"metrics": 200} and not one.killed
    assert is_whole(run.id).info.status == "FINISHED"
    assert synced() == [] and undelivered(Path("outputs")) == []
    require_delivered(Path("outputs"))


def test_a_run_that_goes_on_in_another_process_lacks_nothing(monkeypatch):
    monkeypatch.setattr("ganvas.tracking.journal._LOOK", 0.05)
    with start() as run:
        monkeypatch.setattr("mlflow.tracking.MlflowClient.log_batch", lambda *a, **k: 1 / 0)
        log(run)
        require_delivered(Path("outputs"))
    with pytest.raises(NotDeliveredError, match="ganvas sync outputs"):
        require_delivered(Path("outputs"))


@contextmanager
def delivered_by_another(journal):
    """Hold the journal for a while, as a process does that delivers it."""
    held = threading.Event()

    def hold():
        with journal.locked():
            held.set()
            time.sleep(0.4)

    delivery = threading.Thread(target=hold)
    delivery.start()
    held.wait()
    yield
    delivery.join()


def test_a_run_goes_on_when_another_process_has_delivered_what_it_left(monkeypatch):
    """Of two workers of a sweep one delivered what a killed job left; the other began the job again, and failed."""
    monkeypatch.setattr("ganvas.tracking.journal._LOOK", 0.05)
    with start() as run:
        log(run, STEPS[:50])
    with delivered_by_another(Journal.of_run(Path("outputs/a"), run.id)):
        with start(run_id=run.id, since=STEPS[49]) as again:
            log(again, STEPS[50:])
    assert is_whole(run.id).info.status == "FINISHED"


def test_what_another_process_delivers_is_waited_for_before_the_run_goes_on_elsewhere(monkeypatch):
    monkeypatch.setattr("ganvas.tracking.journal._LOOK", 0.05)
    with monkeypatch.context() as patch, start() as run:
        patch.setattr("mlflow.tracking.MlflowClient.log_batch", lambda *a, **k: 1 / 0)
        log(run)
    with delivered_by_another(Journal.of_run(Path("outputs/a"), run.id)):
        deliver_earlier(Path("outputs/a"), run.id, Path("outputs/b"))
    assert is_whole(run.id).info.status == "FINISHED"


@pytest.mark.slow
def test_a_database_that_is_locked_at_the_end(monkeypatch, store):
    with start() as run:
        log(run, STEPS[:50])
        run.flush()
        lock = sqlite3.connect("mlflow.db")
        lock.execute("begin exclusive")
        log(run, STEPS[50:])
    assert run.undelivered["metrics"] == 100
    lock.close()
    synced()
    assert is_whole(run.id).info.status == "FINISHED"


@pytest.mark.parametrize("replaced", [True, False])
def test_a_database_that_is_deleted_is_filled_again(template, replaced):
    with start() as run:
        log(run, STEPS[:50])
        run.image("samples", torch.zeros(1, 8, 8, dtype=torch.uint8), step=4)
        run.text("note.txt", "é")
        run.flush()
        Path("mlflow.db").unlink()
        log(run, STEPS[50:])
        if replaced:
            shutil.copy(template, "mlflow.db")
    assert run.undelivered["metrics"] == 200
    (one,) = synced()
    assert one.problem == "" and one.run_id != run.id
    found, client = is_whole(one.run_id), MlflowClient(tracking_uri())
    assert found.info.status == "FINISHED" and found.data.tags["fact"] == "x" and found.info.run_name == "a run"
    assert len(client.list_artifacts(one.run_id, "images")) == 2
    assert open(client.download_artifacts(one.run_id, "note.txt"), encoding="utf-8").read() == "é"
    assert synced() == [] and not list(Path("outputs").rglob("*.npy"))


def test_an_artifact_folder_that_was_away(monkeypatch, tmp_path):
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    (tmp_path / "last.ckpt").write_bytes(b"weights")
    with monkeypatch.context() as patch, start() as run:
        patch.setattr("mlflow.tracking.MlflowClient.log_artifact", lambda *a, **k: 1 / 0)
        patch.setattr("mlflow.tracking.MlflowClient.log_text", lambda *a, **k: 1 / 0)
        log(run)
        run.image("samples", picture, step=4)
        run.artifact(tmp_path / "last.ckpt", "checkpoints")
        run.text("note.txt", "a")
    (tmp_path / "last.ckpt").unlink()  # the journal has its own name for the file
    assert is_whole(run.id).data.tags["ganvas.not_logged"]
    (one,) = synced()
    assert dict(one.delivered) == {"image": 1, "artifact": 1, "text": 1}
    client = MlflowClient(tracking_uri())
    assert open(client.download_artifacts(run.id, "checkpoints/last.ckpt"), "rb").read() == b"weights"
    assert "ganvas.not_logged" not in client.get_run(run.id).data.tags


KILLED = """
    import sys
    from pathlib import Path
    import torch
    from ganvas.tracking.mlflow_run import MlflowRun
    tags, output = {"ganvas.output": Path("outputs/a").absolute()}, Path("outputs/a")
    with MlflowRun.start("test", "killed", tags, output=output, **eval(sys.argv[1])) as run:
        print(run.id, flush=True)
        for step in range(0, 40_000, 4):
            run.metrics({"train/a": step / 3, "train/b": -step}, step=step)
            if step % 400 == 0:
                run.image("samples", torch.zeros(1, 8, 8, dtype=torch.uint8), step=step)
            if step == 20_000:
                print("halfway", flush=True)
                if "wait" in sys.argv:
                    sys.stdin.read()
"""


def run_and_kill(options, *arguments):
    """Log 10,001 points, half of them before SIGKILL."""
    line = [sys.executable, "-c", textwrap.dedent(KILLED), repr(options), *arguments]
    process = subprocess.Popen(line, stdin=-1, stdout=-1, text=True)
    run_id = process.stdout.readline().strip()
    assert process.stdout.readline().strip() == "halfway"
    return process, run_id


@pytest.mark.slow
def test_a_killed_run_lacks_nothing_and_is_killed_and_goes_on_without_hole_or_duplicate():
    process, run_id = run_and_kill({}, "wait")
    assert [one.running for one in synced()] == [True]
    process.send_signal(signal.SIGKILL)
    process.wait()
    (one,) = synced()
    assert one.killed and one.problem == "" and one.run_id == run_id
    found = is_whole(run_id, range(0, 20_001, 4))
    assert found.info.status == "KILLED" and found.data.tags["ganvas.outcome"] == "interrupted"
    # from a checkpoint at 16,000 images; killed again before anything was delivered
    process, _ = run_and_kill({"run_id": run_id, "since": 16_000}, "wait")
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), repr({"run_id": run_id, "since": 16_000})], stdout=-1
    )
    assert done.returncode == 0
    assert is_whole(run_id, range(0, 40_000, 4)).info.status == "FINISHED"
    pictures = [f.path for f in MlflowClient(tracking_uri()).list_artifacts(run_id, "images") if f.path.endswith("png")]
    assert len(pictures) == len({path.split("+step+")[1].split("+")[0] for path in pictures}) == 100


@pytest.mark.slow
def test_a_later_command_ends_the_dead_and_leaves_the_living(caplog):
    process, run_id = run_and_kill({}, "wait")
    client = MlflowClient(tracking_uri())
    end_dead_runs(client)
    assert client.get_run(run_id).info.status == "RUNNING" and not caplog.messages
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert main(["report", "nothing"]) == 2  # any command that reads the store
    assert is_whole(run_id, range(0, 20_001, 4)).info.status == "KILLED"
    assert [run_id in message and "ended as KILLED" in message for message in caplog.messages] == [True]


def test_a_dead_run_of_another_user_stops_no_command(monkeypatch, caplog):
    with start() as run:
        run.tags({"ganvas.output": Path("outputs/a").absolute()})
    client = MlflowClient(tracking_uri())
    client.update_run(run.id, status="RUNNING")
    (journal,) = journals(Path("outputs"))
    journal.append({"kind": "begin", "owner": {"host": socket.gethostname(), "pid": 1, "started": 0.0, "boot": "x"}})
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "locked", lambda *a: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        end_dead_runs(client)
    assert client.get_run(run.id).info.status == "RUNNING" and not caplog.messages


class Blind(MlflowClient):
    """A store that appends whatever it gets, as MLflow's file store does, and fails before or after taking it."""

    def __init__(self, seed, failures):
        self.random, self.failures, self.points, self.calls = random.Random(seed), failures, [], 0

    def log_batch(self, run_id, metrics):
        self.calls += 1
        when = self.random.choice(["before", "after", "never"]) if self.failures else "never"
        self.failures -= when != "never"
        if when == "before":
            raise OSError("gone")
        self.points += metrics
        if when == "after":
            raise OSError("timeout")

    def get_metric_history(self, run_id, key):
        return [m for m in self.points if m.key == key]


@pytest.mark.parametrize("seed", range(12))
def test_a_point_is_delivered_once_whenever_the_delivery_breaks_off(seed, tmp_path, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.delivery._BATCH", 7)
    journal, client, chance = Journal(tmp_path / "journal" / "a"), Blind(seed, 8), random.Random(seed)
    wanted = []
    for step in range(60):
        value = float("nan") if step % 10 == 0 else step / 7
        wanted.append((f"k{step % 3}", step, repr(value)))
        journal.append({"kind": "metrics", "time": step, "step": step, "values": {f"k{step % 3}": value}})
        if chance.random() < 0.3:
            for _ in range(2):
                try:  # each time as a new process, that knows only the cursor
                    delivery = Delivery(client, journal, journal.cursor(), "records")
                    delivery._doubtful = True
                    delivery.deliver()
                except OSError:
                    pass
    while journal.cursor().records < journal.size():
        try:
            Delivery(client, journal, journal.cursor(), "records").deliver()
        except OSError:
            pass
    assert [(m.key, m.step, repr(m.value)) for m in client.points] == wanted
    assert client.failures < 8


def test_a_run_without_a_store(store, capsys):
    (store / "mlflow.db").unlink()
    with start(offline=True, system_metrics=True) as run:
        log(run)
        run.flush()
        assert run.latest("train/a") == {}
    assert run.id.startswith("local-") and not (store / "mlflow.db").exists()
    assert undelivered(Path("outputs")) == []  # nobody expected it in a store
    assert main(["sync"]) == 0
    said = capsys.readouterr().out
    assert "delivered 200 metrics" in said
    (one,) = all_runs()
    assert is_whole(one.info.run_id).info.status == "FINISHED"
    assert main(["sync", "outputs"]) == 0 and "nothing to deliver" in capsys.readouterr().out


def test_a_run_is_created_once_though_the_first_sync_was_killed(monkeypatch):
    with start(offline=True) as run:
        log(run)
    with monkeypatch.context() as patch:
        patch.setattr("ganvas.tracking.journal.Journal.save", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            synced()
    (one,) = synced()
    assert run.id == one.journal.local_id
    assert [r.info.run_id for r in all_runs()] == [one.run_id] and is_whole(one.run_id)


def test_another_store_gets_a_run_only_if_asked(monkeypatch, store, capsys, template):
    with monkeypatch.context() as patch, start() as run:
        patch.setattr("mlflow.tracking.MlflowClient.log_batch", lambda *a, **k: 1 / 0)
        log(run)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/other.db")
    assert main(["sync"]) == 1
    told = capsys.readouterr()
    assert f"was logged to sqlite:///{store}/mlflow.db" in told.out and "1 of 1 journals" in told.err
    assert not (store / "other.db").exists()
    shutil.copy(template, store / "other.db")
    assert main(["sync"]) == 1
    (one,) = synced(anywhere=True)
    assert one.problem == "" and one.run_id != run.id
    is_whole(one.run_id)


def test_a_folder_that_is_not_there_is_bad_input(capsys):
    assert main(["sync", "nowhere"]) == 2
    assert "nowhere: not a folder" in capsys.readouterr().err


def test_a_line_that_a_power_cut_left_is_skipped(tmp_path):
    journal = Journal(tmp_path / "journal" / "a")
    journal.append({"kind": "tags", "values": {"a": "1"}})
    journal.close()
    with journal.entries.open("ab") as file:
        file.write(b'{"kind": "tags", "val')
    assert len(list(journal.read())) == 1
    again = Journal(journal.folder)
    again.append({"kind": "tags", "values": {"a": "2"}})
    again.close()
    assert [entry["values"]["a"] for entry in again.read()] == ["1", "2"]


def test_a_full_disk_leaves_no_part_of_an_entry(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal" / "a")
    journal.append({"kind": "tags", "values": {"a": "1"}})
    size, write = journal.size(), os.write
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda file, line: write(file, line[:9]))
        with pytest.raises(OSError, match="no room"):
            journal.append({"kind": "tags", "values": {"a": "2"}})
    assert journal.size() == size


@pytest.mark.parametrize(
    "change, lives",
    [
        ({}, True),
        ({"started": 5.0}, False),
        ({"boot": "another"}, False),
        ({"pid": 2**22 + 1}, False),
        ({"host": "b"}, None),
    ],
)
def test_a_process_is_dead_if_its_number_start_or_boot_is_gone(change, lives):
    assert Owner(**{**Owner.me().as_dict(), **change}).lives() is lives


def test_a_process_of_another_machine_is_dead_after_ten_silent_minutes(monkeypatch):
    journal = Journal.new(Path("outputs/a"))
    owner = {**Owner.me().as_dict(), "host": "another"}
    common = {"experiment": "test", "name": "n", "tags": {}, "store": tracking_uri()}
    journal.append({"kind": "begin", "time": 1, **common, "owner": owner})
    journal.close()
    assert [one.running for one in synced()] == [True]
    old = time.time() - 700
    os.utime(journal.folder, (old, old))
    (one,) = synced()
    assert one.killed and MlflowClient(tracking_uri()).get_run(one.run_id).info.status == "KILLED"
