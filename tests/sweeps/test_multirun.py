"""A sweep from the command line: failures are outcomes, the line continues, the hierarchy is whole."""

from pathlib import Path

import pandas as pd
import pytest

from ganvas.cli import main
from ganvas.health.findings import IN_TRAINING
from ganvas.tracking.journal import journals

from ..tiny import TINY


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def sweep(*overrides):
    return main(["train", "-m", *TINY, *overrides])


@pytest.mark.slow
def test_a_nan_and_an_import_error_are_outcomes_and_the_sweep_goes_on(runs_of, summary, capsys):
    # the first optimizer cannot be imported, the second step size gives NaN: three of four jobs fail
    swept = ["optimizer._target_=torch.optim.Adam,nowhere.Optimizer", "optimizer.lr=1e-3,1e30", "log.every=64"]
    assert sweep("study=bad", "model=gan", *swept) == 0
    said, found, result = capsys.readouterr().out, runs_of("bad"), summary("outputs/bad")
    assert (result["finished"], result["failed"]) == (1, 3)
    outcomes = sorted(job["outcome"] for c in result["configurations"] for job in c["seeds"])
    assert outcomes == ["error", "error", "finished", "nan"]
    assert "nan: NonFiniteError" in said and "nowhere" in said
    assert found.statuses("run") == {"FINISHED": 1, "FAILED": 3} and found.statuses("study") == {"FINISHED": 1}
    tagged = {run.data.tags["ganvas.outcome"]: run.data.tags for run in found.jobs if run.info.status == "FAILED"}
    assert set(tagged) == {"nan", "error"} and "nowhere" in tagged["error"]["ganvas.failure"]
    assert all(run.data.tags["mlflow.parentRunId"] and run.data.tags["ganvas.seed"] for run in found.jobs)


@pytest.mark.slow
def test_a_study_is_continued_extended_and_kept_apart(runs_of, capsys):
    line = ["study=s", "model=gan,vae"]
    assert sweep(*line, "seed=1") == 0 and len(runs_of("s").jobs) == 2
    # as a process leaves it that is killed between the end of its run and the last delivery
    journal = journals(Path("outputs/s"))[0]
    journal.append({"kind": "tags", "values": {"late": "yes"}})
    journal.persist()
    assert sweep(*line, "seed=1") == 0 and len(runs_of("s").jobs) == 2
    assert sum("late" in run.data.tags for run in runs_of("s").jobs) == 1
    assert sweep(*line, "seed=1,2") == 0 and len(runs_of("s").jobs) == 4
    found = runs_of("s")
    assert set(found.keys().values()) == {1} and found.statuses("run") == {"FINISHED": 4}
    (study,) = found.by_role["study"]
    assert len(found.by_role["configuration"]) == 2 and study.data.tags["ganvas.objective"] == "score/mnist/fd"
    for run in found.by_role["configuration"]:
        assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
        assert run.data.metrics["seeds"] == 2 and run.data.metrics["sd/score/mnist/fd"] > 0
    checks = {key.removeprefix("health/") for run in found.jobs for key in run.data.metrics if "health/" in key}
    assert {"active_units", "discriminator_saturation", "vae_gradient_norms"} <= checks <= set(IN_TRAINING)
    capsys.readouterr()
    assert sweep("study=s", "model=gan,wgan", "seed=1") == 2
    assert "another search space" in capsys.readouterr().err


@pytest.mark.slow
def test_pruned_jobs_are_outcomes_and_get_no_further_seeds(runs_of, summary):
    # five configurations to learn from, by step size; the sixth does not learn at all
    search = ["hydra.sweeper.pruner=median", "score.every=128", "score.n_during=40", "seed=1,2"]
    assert sweep("study=p", "model=vae", "optimizer.lr=1e-3,2e-3,3e-3,4e-3,5e-3,1e-9", *search) == 0
    jobs = [(c["label"], job) for c in summary("outputs/p")["configurations"] for job in c["seeds"]]
    pruned = {label for label, job in jobs if job["outcome"] == "pruned"}
    assert pruned  # else nothing below is tested
    assert all(job["seed"] == 1 for label, job in jobs if label in pruned)
    found = [run for run in runs_of("p").jobs if run.data.tags.get("ganvas.outcome") == "pruned"]
    assert len(found) == len(pruned) and all(run.info.status == "KILLED" for run in found)


@pytest.mark.slow
def test_an_unhealthy_run_is_pruned_on_what_was_asked(runs_of, summary):
    # a VAE that does not learn makes one class only; where nothing is judged before the end, nothing is pruned
    line = ["model=vae", "optimizer.lr=1e-9", "score.every=320,null", "seed=1,2"]
    assert sweep("study=h", *line, "hydra.sweeper.prune_on=[class_coverage]") == 0
    found = summary("outputs/h")["configurations"]
    ended = {c["label"]: [(job["seed"], job["outcome"]) for job in c["seeds"]] for c in found}
    assert ended == {"score.every=320": [(1, "pruned")], "score.every=null": [(1, "finished"), (2, "finished")]}
    (pruned,) = (run for run in runs_of("h").jobs if run.data.tags.get("ganvas.outcome") == "pruned")
    assert "class_coverage warns after 320 images: 1 of 10 classes" in pruned.data.tags["ganvas.failure"]


@pytest.mark.slow
def test_the_report_of_a_real_sweep_has_what_its_runs_log(store):
    swept = ["optimizer.lr=1e-4,3e-4,1e-3,2e-3,3e-3", "batch_size=32,64", "score.every=128"]
    assert sweep("study=real", "model=vae", *swept) == 0
    assert main(["report", "real", "paths.output=page"]) == 0
    page = (store / "page" / "report.html").read_text()
    for column in ("best/mnist/fd", "selection/mnist/fd", "gap/optimism", "gap/kept", "gap/promised", "cpu hours"):
        assert f"<th>{column}" in page, column
    runs = pd.read_csv(store / "page" / "runs.csv")
    assert len(runs) == 10 and (runs["cost/cpu_hours"] * 3600 > 0.1).all()
    kept = runs["score/mnist/fd"] - runs["best/mnist/fd"]
    assert runs["gap/kept"].tolist() == pytest.approx(kept.tolist(), abs=1e-6)
    assert "Share of each parameter" in page


def test_a_sweep_by_torchrun_is_refused_with_the_way_to_several_processes(monkeypatch, capsys):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert sweep("seed=1,2") == 2
    assert "start it without torchrun" in capsys.readouterr().err


def test_nothing_finished_is_no_success(capsys):
    assert sweep("study=none", "model=gan,vae", "data=folder") == 2
    assert "all 2 jobs failed" in capsys.readouterr().err
