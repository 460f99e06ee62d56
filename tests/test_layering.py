"""Imports point down only, and who may know Hydra, Lightning and MLflow: the contracts in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_the_contracts_are_kept(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_every_module_stands_in_a_layer():
    layers = (ROOT / "pyproject.toml").read_text().split("layers = [")[1].split("]")[0]
    modules = {path.stem for path in (ROOT / "src" / "ganvas").iterdir()}
    elsewhere = {"__init__", "__main__", "__pycache__", "conf", "experiments"}
    assert modules - elsewhere <= set(re.findall(r"\w+", layers))
