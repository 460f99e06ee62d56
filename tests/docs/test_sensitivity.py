"""The page on sensitivity is what its files say, and an answer is the change in units of the spread of real images."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from .blocks import ROOT

SCRIPT = ROOT / "scripts" / "sensitivity_page.py"


def test_the_page_is_what_its_files_say():
    subprocess.run([sys.executable, SCRIPT, "--check"], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_answers_of_the_table_follow_from_the_file(name):
    scores = json.loads((ROOT / "docs" / "explanation" / "sensitivity" / f"{name}.json").read_text())["scores"]
    page = (ROOT / "docs" / "explanation" / "sensitivity.md").read_text().split(f"<!-- {name}:")[1]
    head = next(line for line in page.splitlines() if line.startswith("| score | on real images"))
    position = [cell.strip() for cell in head.split("|")].index("JPEG 20")
    for metric, sign in (("fd", 1), ("recall", -1)):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{metric}` |") and line.count("|") > 5)
        values = [scores[f"set {k}"][f"score/{name}/{metric}"] for k in range(1, 6)]
        mean = sum(values) / 5
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / 4)
        change = scores["JPEG 20"][f"score/{name}/{metric}"] - values[0]
        assert float(row.split("|")[position].strip(" *")) == pytest.approx(sign * change / spread, abs=0.5)
