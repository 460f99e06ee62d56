"""Imports point down only, and who may know Hydra, Lightning and MLflow: the contracts in pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_contracts_are_kept():
    # In a process of its own: import-linter switches off every logger that exists.
    done = subprocess.run([Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()


def test_every_module_stands_in_a_layer():
    layers = (ROOT / "pyproject.toml").read_text().split("layers = [")[1].split("]")[0]
    modules = {path.stem for path in (ROOT / "src" / "ganvas").iterdir() if path.is_dir() or path.suffix == ".py"}
    elsewhere = {"__init__", "__main__", "__pycache__", "conf", "experiments"}
    assert modules - elsewhere <= set(re.findall(r"\w+", layers))
