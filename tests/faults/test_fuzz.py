"""Command lines and configs of a grammar: whatever is written, one message or a run, and nothing is left behind.

``GANVAS_TEST_FUZZ=2000`` runs all cases of a seed (``GANVAS_TEST_SEED``); else as many as four minutes allow.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"
SEED = os.environ.get("GANVAS_TEST_SEED", "1")
CASES = os.environ.get("GANVAS_TEST_FUZZ")
SECONDS = 240
"""Time for the cases where their number is not given: the first ones of a shuffled list, so of all kinds."""


def test_no_command_line_breaks_the_promises(tmp_path):
    out = tmp_path / "fuzz.jsonl"
    most = ["--cases", CASES] if CASES else ["--seconds", str(SECONDS)]
    done = subprocess.run([sys.executable, str(SCRIPT), "--seed", SEED, "--out", str(out), *most], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    print(done.stdout.decode())
    found = [json.loads(line) for line in out.read_text().splitlines()]
    wrong = [f"{one['line']}: {one['violated']}: {one['said'][-300:]}" for one in found if one["violated"]]
    assert len(found) > 100 and not wrong, "\n".join(wrong)
