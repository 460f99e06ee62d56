"""Saved views: tags of the experiment that MLflow's UI reads, and their addresses."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ganvas.tracking import addresses, views
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.store import open_store, tracking_uri


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def saved(name="ganvas"):
    tags = MlflowClient(tracking_uri()).get_experiment_by_name(name).tags
    return {
        json.loads(v)["name"]: json.loads(json.loads(v)["state"]) for k, v in tags.items() if k.startswith(views.PREFIX)
    }


def test_an_experiment_is_made_with_its_views():
    client, experiment = open_store("ganvas")
    assert client.get_experiment(experiment).tags["mlflow.experimentKind"] == "custom_model_development"
    assert saved().keys() == {"Configurations", "Unhealthy"}


def test_a_view_that_somebody_changed_is_left_alone():
    client, experiment = open_store("ganvas")
    (first, *_) = views.standard()
    client.set_experiment_tag(experiment, first.tag, "changed")
    views.keep(client, experiment, first.tag, first.value())
    assert client.get_experiment(experiment).tags[first.tag] == "changed"


def test_a_view_of_the_best_runs_filters_sorts_and_puts_the_losses_first():
    view = views.best_view("score/mnist/fd", True, ["score/mnist/fd", "score/likelihood/elbo"])
    with MlflowRun.start("ganvas", "a run", {}, output=Path("out")) as run:
        run.metrics({"score/mnist/fd": 3.0}, step=10)
        run.view(view)
    state = saved()["Best by fd (mnist)"]
    client = MlflowClient(tracking_uri())
    experiment = client.get_experiment_by_name("ganvas").experiment_id
    client.create_run(experiment)
    assert [r.info.run_id for r in client.search_runs([experiment], state["searchFilter"])] == [run.id]
    assert state["orderByKey"] == "metrics.`score/mnist/fd`" and state["orderByAsc"] is True
    assert state["orderByKey"] in state["selectedColumns"]
    sections = {section["name"]: section for section in state["compareRunSections"]}
    names = list(sections)
    assert names.index("val/mnist") < names.index("train") < names.index("score/mnist") < names.index("best/mnist")
    pictures, *bars = state["compareRunCharts"]
    assert pictures["imageKeys"] == ["samples"]
    assert (
        pictures["metricSectionId"] == sections["Model metrics"]["uuid"] and sections["Model metrics"]["columns"] == 1
    )
    assert [card["metricKey"] for card in bars] == ["score/mnist/fd", "score/likelihood/elbo"]


def test_addresses_of_a_run_leave_out_other_studies_and_open_training_runs():
    client, experiment = open_store("ganvas")
    for study in ("mine", "ours/2"):
        for view in views.study_views(study, {"score/mnist/fd": "minimize"}, ["optimizer.lr"]):
            views.keep(client, experiment, view.tag, view.value())
    best = views.best_view("score/mnist/fd", True, [])
    views.keep(client, experiment, best.tag, best.value())
    run = client.create_run(experiment).info.run_id
    found = addresses.of_run(run, "mine")
    assert list(found)[0] == best.name
    assert found.keys() == {best.name, "Configurations", "Unhealthy", "Study mine", "Study mine: configurations"}
    wanted = (
        f"{addresses.LOCAL}/#/experiments/{experiment}/runs?viewStateShareKey=study-mine&workflowType=machine_learning"
    )
    assert found["Study mine"] == wanted
    assert next(iter(addresses.of_last_experiment("http://h:1").values())).startswith("http://h:1/#/experiments/")
