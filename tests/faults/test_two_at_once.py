"""A run that goes on in one process is gone on with by no other."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganvas.cli import main

from ..tiny import TINY

pytestmark = pytest.mark.slow
FAST = [*TINY, "extractor=none", "score.every=null", "score.select=null", "model=vae", "checkpoint.every=640"]


@pytest.fixture
def living(store):
    """A training that goes on: its process, and the id of its run."""
    line = [sys.executable, "-m", "ganvas", "train", *FAST, "budget.images=100_000_000", "paths.output=out"]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not Path("out/last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    (cursor,) = Path("out/journal").glob("*/cursor.json")
    yield process, json.loads(cursor.read_text())["run_id"]
    process.kill()
    process.wait()


def test_a_run_that_goes_on_is_refused_to_a_second_process(living, capsys):
    process, run_id = living
    for given in (["resume=auto", "paths.output=out"], ["resume=out", "paths.output=out"]):
        assert main(["train", *FAST, "budget.images=100_000_000", *given]) == 2
        assert "out: another training writes to this folder" in capsys.readouterr().err
    for given in ("resume=out", f"resume={run_id}"):
        assert main(["train", given, "paths.output=other"]) == 2
        assert f"run {run_id} is still trained by another process" in capsys.readouterr().err
    assert not Path("other/last.ckpt").exists() and process.poll() is None
