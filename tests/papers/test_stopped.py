"""A reproduction that was stopped goes on where it was when its line is repeated in its folder."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from hydra import compose, initialize_config_module

from ganvas.commands.reproduce import reproduce
from ganvas.config import ConfigError
from ganvas.papers import linear_vae, training
from ganvas.papers.claims import read_paper
from ganvas.papers.judgement import Measured
from ganvas.papers.stopped import FILE
from ganvas.run.resuming import result_of_ended, resume

from ..tiny import NARROW, TINY

SMALL = ["data=mnist5k", *TINY, *NARROW, "score.n=100"]
CLAIMS = [claim.id for claim in read_paper("linear_vae").at("smoke")]


class StoppedError(Exception):
    """Stops the program after its first training."""


@pytest.fixture
def begun(monkeypatch):
    """Labels of the trainings that began; the paper's program is two short ones, and is stopped once between them."""
    labels: list[str] = []
    stops = iter([True])
    train = training.train

    def noted(cfg, job):
        if result_of_ended(*resume(cfg.copy(), job)) is None:
            labels.append(cfg.tracking.label)
        return train(cfg, job)

    def measure(scale, desk):
        bounds = []
        for label in ("one", "two"):
            found = training.run_preset(desk, "demo_vae", label, desk.seed, SMALL)
            bounds.append(found.score("score/likelihood/elbo"))
            if next(stops, False):
                raise StoppedError
        return {claim: Measured([bounds[0] - bounds[1]]) for claim in CLAIMS}

    monkeypatch.setattr(training, "train", noted)
    monkeypatch.setattr(linear_vae, "measure", measure)
    return labels


def line(folder, **values):
    given = {"paper": "linear_vae", "paths.output": folder, "paths.results": "results", **values}
    return reproduce(compose("reproduce", [f"{key}={value}" for key, value in given.items()]), Path(folder))


def runs(role):
    return mlflow.search_runs(search_all_experiments=True, filter_string=f"tags.`ganvas.role` = '{role}'")


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_it_goes_on_where_it_was(begun, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        with pytest.raises(StoppedError):
            line("out")
        with pytest.raises(ConfigError, match="paths.output=out: it holds another .*seed: 1 there, 2 now"):
            line("out", seed=2)
        found = line("out")
        assert begun == ["one", "two"]
        assert found["protocol"]["starts"] == 2 and not Path("out", FILE).exists()
        assert list(runs("study")["run_id"]) == [found["run_id"]] and list(runs("study")["status"]) == ["FINISHED"]
        assert list(runs("run")["tags.mlflow.parentRunId"]) == [found["run_id"]] * 2

        whole = line("whole")
        assert begun == ["one", "two"] * 2 and "starts" not in whole["protocol"]
        assert whole["claims"] == found["claims"]
