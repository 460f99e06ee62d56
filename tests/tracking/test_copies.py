"""Copies beside MLflow get what the run gets; one that fails is off and disturbs neither the run nor the others."""

import sys
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

from ganvas.cli import main
from ganvas.commands.rerun import _again
from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.run.identity import configuration_hash, job_hash
from ganvas.run.refusals import refuse
from ganvas.run.request import Job, start_run
from ganvas.tracking import also
from ganvas.tracking.also import copied, require_places
from ganvas.tracking.copies import CopiedRun, Copy, Original
from ganvas.tracking.run import Run, SilentRun
from ganvas.tracking.store import tracking_uri
from ganvas.tracking.views import View

from ..test_configs import compose_


class Notes(Copy):
    """Writes down its calls; fails at the method that ``fails`` names."""

    def __init__(self, fails=None):
        self.fails, self.calls = fails, []
        self._note("open")

    def params(self, flat):
        self._note("params", flat)

    def metrics(self, values, step):
        self._note("metrics", values, step)

    def image(self, key, image, step):
        self._note("image", key, image, step)

    def close(self, finished):
        self._note("close", finished)

    def _note(self, *call):
        if call[0] == self.fails:
            raise OSError(28, "No space left\n on device")
        self.calls.append(call)


@pytest.fixture
def inner():
    run = create_autospec(Run, instance=True)
    run.id = "abc"
    return run


@pytest.fixture
def original(tmp_path):
    return Original("abc", "ganvas", "gan mnist5k mlp", tmp_path, None)


CALLS = {
    "params": ({"seed": 1},),
    "metrics": ({"total": 0.5}, 64),
    "latest": ("cost/",),
    "image": ("samples", torch.zeros(3, 2, 4, dtype=torch.uint8), 64),
    "tags": ({"a": 1},),
    "text": ("note.txt", "text"),
    "artifact": ("file.png", "folder"),
    "dataset": ("mnist5k", "ab12", "train", (1, 28, 28), 4000, None),
    "view": (View("best", "Best", "", ()),),
    "persist": (),
    "flush": (),
}


def test_everything_is_passed_on_to_the_run(inner):
    assert set(CALLS) == Run.__abstractmethods__
    inner.latest.return_value = {"cost/cpu_hours": 1.0}
    run = CopiedRun(inner, {"notes": Notes})
    found = {name: getattr(run, name)(*given) for name, given in CALLS.items()}
    for name, given in CALLS.items():
        getattr(inner, name).assert_called_once_with(*given)
    assert run.id == "abc" and found.pop("latest") == {"cost/cpu_hours": 1.0} and set(found.values()) == {None}


def test_a_copy_gets_parameters_numbers_and_pictures(inner):
    copy, picture = Notes(), torch.arange(24, dtype=torch.uint8).view(3, 2, 4)
    run = CopiedRun(inner, {"notes": lambda: copy})
    run.params({"seed": 1})
    run.metrics({"train/total": 0.5}, 64)
    run.image("samples", picture, 64)
    run.image("curve", np.zeros((2, 4), np.uint8), 128)
    run.tags({"a": 1})
    assert copy.calls[:3] == [("open",), ("params", {"seed": 1}), ("metrics", {"train/total": 0.5}, 64)]
    (_, key, image, step), (_, _, flat, _) = copy.calls[3:]
    assert (key, step, image.shape, flat.shape) == ("samples", 64, (2, 4, 3), (2, 4))
    assert np.array_equal(image[1, 2], picture[:, 1, 2].numpy())


@pytest.mark.parametrize("fails", ["open", "params", "metrics", "image", "close"])
def test_a_copy_that_fails_says_one_line_and_the_rest_goes_on(inner, capsys, fails):
    broken, whole = Notes.__new__(Notes), Notes()
    run = CopiedRun(inner, {"broken": lambda: broken.__init__(fails) or broken, "whole": lambda: whole})
    for step in (64, 128):
        run.params({"seed": step})
        run.metrics({"total": 0.5}, step)
        run.image("samples", torch.zeros(3, 2, 2, dtype=torch.uint8), step)
    run.close(finished=True)
    said = capsys.readouterr().err
    assert said == "ganvas: no more copies to broken (OSError: [Errno 28] No space left on device); the run goes on\n"
    assert inner.metrics.call_count == inner.image.call_count == 2 and len(whole.calls) == 1 + 6 + 1
    done = ["open", "params", "metrics", "image", "params", "metrics", "image", "close"]
    assert [call[0] for call in broken.calls] == done[: done.index(fails)]


def test_copies_are_told_how_the_run_ended(original, monkeypatch):
    made = []
    monkeypatch.setattr(also, "PLACES", {"notes": lambda given: made.append((given, Notes())) or made[-1][1]})
    with copied(SilentRun(), original, ["notes"]):
        pass
    with pytest.raises(KeyboardInterrupt), copied(SilentRun(), original, ["notes"]):
        raise KeyboardInterrupt
    assert [given for given, _ in made] == [original, original]
    assert [copy.calls for _, copy in made] == [[("open",), ("close", True)], [("open",), ("close", False)]]


def test_copies_are_closed_when_the_record_has_ended(store, monkeypatch):
    class Late(Notes):
        def close(self, finished):
            super().close(MlflowClient(tracking_uri()).get_run(run.id).info.status)

    late = Late()
    monkeypatch.setattr(also, "PLACES", {"late": lambda original: late.calls.append(original) or late})
    job = Job(store / "out", {"model": "gan", "data": "mnist5k", "network": "mlp"}, ["seed=3"])
    data = create_autospec(DataModule, instance=True)
    data.fingerprints.return_value = {}
    with start_run(
        compose_("tracking.system_metrics=false", "tracking.also=[late]"), job, data, (store, 64), ""
    ) as run:
        pass
    _, original, (name, params), cost, closed = late.calls
    named = MlflowClient(tracking_uri()).get_run(run.id).info.run_name
    assert original == Original(run.id, "ganvas", named, job.output, 64)
    assert (name, params["seed"], cost[0], closed) == ("params", 1, "metrics", ("close", "FINISHED"))


def test_a_run_without_further_places_is_the_run_itself(original):
    with copied(inside := SilentRun(), original, []) as run:
        assert run is inside


def test_a_place_is_refused_that_is_unknown_or_not_installed(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="tracking.also=wandbd: expected tensorboard or wandb; did you mean wandb?"):
        require_places(["wandbd"])
    monkeypatch.setattr(also, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="tracking.also=tensorboard: .* not installed; pip install tensorboard"):
        require_places(["tensorboard"])


def test_a_folder_of_the_name_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [str(tmp_path)])
        patch.delitem(sys.modules, "wandb", raising=False)
        with pytest.raises(ConfigError, match="wandb is not installed"):
            require_places(["wandb"])


def test_copies_change_neither_hash_nor_name(tmp_path):
    plain, with_copies = compose_(), compose_("tracking.also=[tensorboard,wandb]")
    assert list(with_copies.tracking.also) == ["tensorboard", "wandb"]
    assert job_hash(plain) == job_hash(with_copies) and configuration_hash(plain) == configuration_hash(with_copies)
    choices = {"model": "gan", "data": "mnist5k", "network": "mlp"}
    assert Job(tmp_path, choices, ["tracking.also=[wandb]", "seed=3"]).name == "gan mnist5k mlp seed=3"


@pytest.mark.parametrize("line", [["seed=1"], ["-m", "seed=1,2"]], ids=["run", "sweep"])
def test_a_wrong_place_ends_the_command_before_a_run_begins(store, capsys, line):
    assert main(["train", *line, "budget.images=64", "tracking.also=[wandbd]", "paths.output=out"]) == 2
    assert capsys.readouterr().err.startswith("ganvas: tracking.also=wandbd: expected tensorboard or wandb")
    assert [e.name for e in MlflowClient(tracking_uri()).search_experiments()] == ["template", "Default"]


def test_a_rerun_makes_no_copies_and_an_old_config_names_none(tmp_path):
    recorded = compose_("tracking.also=[wandb]")
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        asked = compose("rerun", ["paths.output=out"])
    assert _again(recorded, asked, tmp_path).tracking.also == []
    plain = OmegaConf.to_container(recorded, resolve=True)
    del plain["tracking"]["also"]
    refuse(OmegaConf.create(plain), Job(tmp_path, {"model": "gan", "data": "mnist5k", "network": "mlp"}, []))
