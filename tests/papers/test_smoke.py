"""Every paper's smoke scale, as a user runs it: it ends, and its claims hold."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganvas.papers.claims import paper_names

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


@pytest.mark.slow
@pytest.mark.parametrize("paper", paper_names())
def test_smoke(paper, store):
    # MNIST: where the environment says, beside the repository, or downloaded as for a user.
    data = {"GANVAS_DATA": str(SHARED)} if SHARED.exists() and "GANVAS_DATA" not in os.environ else {}
    command = [sys.executable, "-m", "ganvas", "reproduce", paper, "--scale", "smoke", "paths.results=results"]
    done = subprocess.run(command, cwd=store, capture_output=True, text=True, env={**os.environ, **data}, timeout=280)
    if done.returncode == 2 and "the download failed" in done.stderr:
        pytest.skip("no MNIST at hand, and none to be downloaded")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((store / "results" / paper / "results" / "smoke.json").read_text())
    failed = {claim["id"]: claim for claim in found["claims"] if claim["verdict"] != "PASS"}
    assert found["claims"] and not failed


def test_the_readme_says_what_was_measured():
    done = subprocess.run([sys.executable, "scripts/verdict_table.py", "--check"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
