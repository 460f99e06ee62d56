"""Trainings that are killed hard: what MLflow has in the end is what it has of an undisturbed one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ganvas.cli import main
from ganvas.tracking.journal import journals
from ganvas.tracking.store import tracking_uri

from ..tiny import TINY


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def line(model, output):
    budget = ["budget.images=19_200", "log.every=64", "checkpoint.every=1280", "score.every=6400", "grid.every=6400"]
    return ["train", *TINY, *budget, f"model={model}", f"paths.output={output}"]


def killed(arguments, folder, rng):
    """Train until some time after the next checkpoint, then SIGKILL."""
    process = subprocess.Popen([sys.executable, "-m", "ganvas", *arguments], stdout=subprocess.DEVNULL)
    before, deadline = stamp(folder), time.monotonic() + 120
    while stamp(folder) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.3))
    process.send_signal(signal.SIGKILL)
    return process.wait()


def stamp(folder):
    path = Path(folder, "last.ckpt")
    return path.stat().st_mtime_ns if path.exists() else None


def history(run_id):
    """Steps and values by key; of what the clock gives only the steps."""
    client = MlflowClient(tracking_uri())
    found = {}
    for key in client.get_run(run_id).data.metrics:
        points = sorted((m.step, m.value) for m in client.get_metric_history(run_id, key))
        timed = key.startswith("cost/") or key.endswith("images_per_second")
        found[key] = [step for step, _ in points] if timed else points
    pictures = sorted(f.path.split("+timestamp")[0] for f in client.list_artifacts(run_id, "images"))
    return found, pictures


@pytest.mark.slow
@pytest.mark.parametrize("model", ["wgan_gp", "vae"])
def test_a_run_that_is_killed_and_goes_on_has_the_history_of_an_undisturbed_one(model):
    rng = random.Random(model)
    assert main(line(model, "whole")) == 0
    whole = json.loads(Path("whole/result.json").read_text())["run_id"]
    ends = 0
    for attempt in range(3):
        resume = ["resume=auto"] if attempt else []
        ends += killed([*line(model, "killed"), *resume], "killed", rng) == -signal.SIGKILL
        if attempt != 1:  # the second time nobody delivers between
            assert main(["sync", "killed"]) == 0
            (journal,) = journals(Path("killed"))
            points = [(k, e["step"]) for e in journal.read() if e["kind"] == "metrics" for k in e["values"]]
            run_id = journal.cursor().run_id
            client = MlflowClient(tracking_uri())
            stored = [(k, m.step) for k in history(run_id)[0] for m in client.get_metric_history(run_id, k)]
            assert sorted(stored) == sorted(points) and len(set(points)) == len(points)
            assert client.get_run(run_id).info.status == "KILLED"
    assert ends == 3
    assert main([*line(model, "killed"), "resume=auto"]) == 0
    found = json.loads(Path("killed/result.json").read_text())["run_id"]
    assert found == run_id and MlflowClient(tracking_uri()).get_run(found).info.status == "FINISHED"
    assert history(found) == history(whole)


@pytest.mark.slow
def test_a_killed_run_that_goes_on_in_another_folder_repeats_no_point():
    rng = random.Random(4)
    assert main(line("vae", "whole")) == 0
    whole = json.loads(Path("whole/result.json").read_text())["run_id"]
    assert killed(line("vae", "first"), "first", rng) == -signal.SIGKILL
    (journal,) = journals(Path("first"))
    assert main([*line("vae", "second"), "resume=first"]) == 0
    found = json.loads(Path("second/result.json").read_text())["run_id"]
    assert found == journal.cursor().run_id and history(found) == history(whole)
    assert main(["sync", "first", "second"]) == 0
    assert history(found) == history(whole)
