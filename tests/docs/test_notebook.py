"""The notebook's cells run from top to bottom, and it is stored without outputs."""

from __future__ import annotations

import json

import pytest

from .blocks import ROOT
from .conftest import small_calls

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def cells(path):
    notebook = json.loads(path.read_text())
    assert notebook["nbformat"] == 4 and notebook["metadata"]["kernelspec"]["name"] == "python3"
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path):
    assert cells(path)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path, reader):
    names = {}
    small_calls(reader[1])
    for i, cell in enumerate(cells(path)):
        exec(compile("".join(cell["source"]), f"{path.name}, cell {i}", "exec"), names)
    assert len(names["report"].ranking) == 2 and names["scores"].table.shape[0] >= 5
