"""Command lines and configs of a grammar: whatever is written, one message or a run, and nothing is left behind.

``GANVAS_TEST_FUZZ=2000`` runs all cases of a seed (``GANVAS_TEST_SEED``); ``GANVAS_TEST_FUZZ_OUT`` is a file for what
they did.
"""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from . import oracles
from .fuzz import judge, prepare
from .grammar import Grammar

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]
SEED = int(os.environ.get("GANVAS_TEST_SEED", "1"))
MOST = int(os.environ.get("GANVAS_TEST_FUZZ", "0"))
SECONDS = 240
"""Time for the cases where their number is not given: the first ones of a shuffled list, so of all kinds."""


def test_no_command_line_breaks_the_promises(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    base, ids = prepare()
    found, end = [], time.monotonic() + SECONDS
    kept = Path(os.environ.get("GANVAS_TEST_FUZZ_OUT", os.devnull))
    try:
        with kept.open("w") as file:
            for number, case in enumerate(Grammar(SEED).cases(MOST or 2000)):
                if not MOST and time.monotonic() > end:
                    break
                found.append(judge(number, case, base, ids))
                file.write(json.dumps(found[-1]) + "\n")
                file.flush()
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(oracles.table(found))
    wrong = [f"{one['line']}: {one['violated']}: {one['said'][-300:]}" for one in found if one["violated"]]
    assert len(found) > 100 and not wrong, "\n".join(wrong)
