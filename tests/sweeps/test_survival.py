"""Sweeps that are killed and go on: nothing is lost, nothing is trained twice, nobody is left running."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ..servers import mariadb, postgresql
from .conftest import TWELVE

DONE = 240


def kill_at_random(begin, kills, rng, shortest=8.0, longest=16.0):
    """Start, kill after a random time, again; then let it end."""
    for _ in range(kills):
        process = begin()
        try:
            process.wait(rng.uniform(shortest, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    process = begin()
    said, _ = process.communicate(timeout=DONE)
    return process.returncode, said


def all_is_well(found, root):
    assert found.statuses("study") == {"FINISHED": 1}
    assert found.statuses("configuration") == {"FINISHED": 6}
    assert found.statuses("run") == {"FINISHED": 12}, found.failures()
    assert set(found.keys().values()) == {1} and len(found.keys()) == 12
    folders = [run.data.tags["ganvas.output"] for run in found.jobs]
    assert len(set(folders)) == 12 and all(Path(f, "result.json").exists() for f in folders)
    for run in found.by_role["configuration"]:
        assert run.data.metrics["seeds"] == 2 and run.data.metrics["failures"] == 0
    # trained once: the last score of a run was logged once, by the one training that came to its end
    client = MlflowClient()
    for run in found.jobs:
        assert len(client.get_metric_history(run.info.run_id, "score/mnist/fd")) == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twelve_jobs_killed_three_times_end_as_twelve(start, store, runs_of, summary):
    code, said = kill_at_random(lambda: start(*TWELVE), 3, random.Random(11))
    assert code == 0, said[-3000:]
    all_is_well(runs_of("twelve"), store)
    assert summary("outputs/twelve")["finished"] == 12 and summary("outputs/twelve")["failed"] == 0
    again = start(*TWELVE)
    said, _ = again.communicate(timeout=DONE)
    assert again.returncode == 0 and "images  " not in said  # nothing was left to train
    all_is_well(runs_of("twelve"), store)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_workers_on_one_postgresql_study_are_killed_and_end_as_twelve(start, store, runs_of):
    with postgresql() as server:
        _kill_two_workers(start, [*TWELVE, f"hydra.sweeper.storage={server.database('sweeps')}"])
        all_is_well(runs_of("twelve"), store)


def _kill_two_workers(start, line):
    rng = random.Random(12)
    for _ in range(3):
        both = [start(*line), start(*line)]
        time.sleep(rng.uniform(14, 24))
        victim = rng.choice(both)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        time.sleep(rng.uniform(0, 3))
        other = next(p for p in both if p is not victim)
        other.send_signal(signal.SIGKILL)
        other.wait()
    both = [start(*line), start(*line)]
    for process in both:
        said, _ = process.communicate(timeout=DONE)
        assert process.returncode == 0, said[-3000:]


@pytest.mark.slow
def test_two_workers_share_a_mysql_study(start, runs_of):
    with mariadb() as server:
        storage = f"hydra.sweeper.storage={server.database('sweeps')}"
        line = ["model=vae", "optimizer.lr=1e-4,1e-3", "seed=1,2", "study=my", storage]
        both = [start(*line), start(*line)]
        for process in both:
            said, _ = process.communicate(timeout=DONE)
            assert process.returncode == 0, said[-3000:]
    found = runs_of("my")
    assert found.statuses("run") == {"FINISHED": 4} and set(found.keys().values()) == {1}
    assert found.statuses("study") == {"FINISHED": 1} and found.statuses("configuration") == {"FINISHED": 2}


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_line_goes_on(start, store, runs_of):
    line = ["model=gan,vae", "study=stopped", "budget.images=200_000", "checkpoint.every=640"]
    process = start(*line)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(store.glob("outputs/stopped/*/seed-1/last.ckpt")):
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said and "study=" in said
    found = runs_of("stopped")
    assert found.statuses("study") == {"KILLED": 1} and found.statuses("configuration") == {"KILLED": 1}
    assert found.statuses("run") == {"KILLED": 1} and found.jobs[0].data.tags["ganvas.outcome"] == "interrupted"
