"""A step of Adam opens no library of a GPU that the machine does not have."""

from __future__ import annotations

import ctypes
import os

import pytest
import torch

from ganvas.run.gpus import ASKS_NVML, answer_from_memory


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the libraries that are opened."""
    names: list[str] = []
    library = ctypes.CDLL

    def noted(name: str) -> ctypes.CDLL:
        names.append(name)
        return library(name)

    monkeypatch.setattr(ctypes, "CDLL", noted)
    monkeypatch.setenv(ASKS_NVML, "1")  # as Lightning does
    return names


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU")
def test_a_step_of_adam_opens_no_library(opened):
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    adam = torch.optim.Adam([weight], fused=True)
    assert answer_from_memory()
    opened.clear()
    adam.step()
    assert opened == []


def test_nothing_changes_with_a_gpu(monkeypatch, opened):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not answer_from_memory()
    assert os.environ[ASKS_NVML] == "1"
