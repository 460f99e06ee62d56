"""`deterministic=true`: torch's mode is on from the first part to the last score, and off afterwards."""

import json
import os
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

import ganvas
from ganvas.cli import main
from ganvas.config import ConfigError
from ganvas.run import deterministic
from ganvas.run.callbacks.budget import Budget
from ganvas.run.callbacks.grids import SampleGrids
from ganvas.run.callbacks.scores import ScoreEvery
from ganvas.run.deterministic import WORKSPACE, deterministic_algorithms
from ganvas.scoring.measurement import Measurement
from ganvas.storage.checkpoints import read
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY

FAST = [*TINY, *NARROW, "extractor=none", "score.every=null", "score.select=null"]
PLACES = {
    "a training step": (Budget, "on_train_batch_end"),
    "a picture": (SampleGrids, "_draw"),
    "a score in training": (ScoreEvery, "on_train_batch_end"),
    "the final scores": (Measurement, "of_trained"),
}


@pytest.fixture(autouse=True)
def in_a_store(store, monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    return store


def mode():
    return torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark, os.environ.get(WORKSPACE)


@pytest.fixture
def before(monkeypatch):
    """Settings that a program chose before: warnings, and cuDNN's search for the fastest algorithm."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    yield mode()
    torch.use_deterministic_algorithms(False)


def called(monkeypatch, where, what):
    """Call a function with each call of a method."""
    owner, name = PLACES[where]
    whole = getattr(owner, name)

    def with_it(self, *arguments, **named):
        what()
        return whole(self, *arguments, **named)

    monkeypatch.setattr(owner, name, with_it)


def run_of_the_store():
    client = MlflowClient(tracking_uri())
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return run


def test_the_mode_is_on_in_every_part_of_a_training_and_what_it_was_afterwards(monkeypatch, before):
    seen = {where: [] for where in PLACES}
    for where in PLACES:
        called(monkeypatch, where, lambda where=where: seen[where].append(mode()))
    result = ganvas.train(*TINY, *NARROW, "paths.output=out", deterministic=True)
    assert {where: set(modes) for where, modes in seen.items()} == dict.fromkeys(PLACES, {(2, False, ":4096:8")})
    assert mode() == before
    assert OmegaConf.create(read(Path("out/last.ckpt"))["config"]).deterministic is True
    assert MlflowClient(tracking_uri()).get_run(result.id).data.params["deterministic"] == "True"


def test_a_training_without_the_key_changes_no_setting(monkeypatch, before):
    seen = []
    called(monkeypatch, "a training step", lambda: seen.append(mode()))
    assert main(["train", *FAST]) == 0
    assert set(seen) == {before} and mode() == before


def put():
    torch.zeros(4).put_(torch.tensor([1]), torch.ones(1))  # torch has no deterministic version


def test_an_operation_without_a_deterministic_version_is_named(monkeypatch, before, capsys):
    called(monkeypatch, "a training step", put)
    assert main(["train", *FAST, "deterministic=true", "paths.output=out"]) == 2
    said = capsys.readouterr().err
    assert "deterministic=true: the operation put_ of this training has no deterministic version" in said
    assert "Traceback" not in said and mode() == before
    run = run_of_the_store()
    assert run.info.status == "FAILED" and any("operation put_" in tag for tag in run.data.tags.values())
    assert main(["train", *FAST, "paths.output=other"]) == 0


def test_a_score_without_a_deterministic_version_keeps_the_training(monkeypatch, capsys):
    called(monkeypatch, "the final scores", put)
    assert main(["train", *TINY, *NARROW, "deterministic=true", "paths.output=out"]) == 1
    said = capsys.readouterr().err
    assert "the training is complete and kept" in said and "deterministic=true: the operation put_" in said
    assert f"ganvas score {run_of_the_store().info.run_id}" in said


def test_an_operation_of_cublas_is_named_too():
    words = "Deterministic behavior was enabled, but this operation is not deterministic because it uses CuBLAS and ..."
    with pytest.raises(deterministic.NotDeterministicError, match="the operation of cuBLAS"), _on():
        raise RuntimeError(words)
    with pytest.raises(RuntimeError, match="^something else$"), _on():
        raise RuntimeError("something else")


def _on():
    return deterministic_algorithms(True)


def test_cuda_that_has_started_without_the_setting_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(ConfigError, match=f"without {WORKSPACE}"), _on():
        pass
    monkeypatch.setenv(WORKSPACE, ":16:8")
    with _on():
        assert mode() == (2, False, ":16:8")
    assert mode() == (0, False, ":16:8")


def test_the_key_cannot_change_on_resume_and_comes_back_on_rerun(capsys):
    assert main(["train", *FAST, "deterministic=true", "paths.output=out"]) == 0
    assert main(["train", "resume=out", "budget.images=704", "deterministic=false"]) == 2
    assert "deterministic: True in the checkpoint, False given" in capsys.readouterr().err
    run_id = json.loads(Path("out/result.json").read_text())["run_id"]
    assert main(["rerun", run_id, "paths.output=again"]) == 0
    assert OmegaConf.create(read(Path("again/run/last.ckpt"))["config"]).deterministic is True


@pytest.mark.parametrize("given", ["+trainer.deterministic=true", "deterministic=true +trainer.benchmark=true"])
def test_lightning_s_own_switches_are_refused(given, capsys):
    assert main(["train", *TINY, *given.split()]) == 2
    assert "write deterministic=true" in capsys.readouterr().err
