"""What a run ends with: its scores, the store, the best checkpoint with its report on other images, and findings."""

from __future__ import annotations

import json

import pytest
import torch
from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.cli import main
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY, project

FD = "score/mnist/fd"


def train(*overrides, output="out"):
    assert main(["train", *TINY, f"paths.output={output}", *overrides]) == 0
    with open(f"{output}/result.json") as file:
        return json.load(file)


def history(run_id, key):
    return {m.step: m.value for m in MlflowClient(tracking_uri()).get_metric_history(run_id, key)}


def run_of(run_id):
    return MlflowClient(tracking_uri()).get_run(run_id)


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


@pytest.fixture(scope="module")
def folders():
    """Folders of the models that are trained already, with what each training ended with."""
    return {}


@pytest.fixture
def trained(folders, tmp_path_factory, template, monkeypatch):
    """Trains a model once for all tests, and goes to its folder."""

    def once(model):
        if model not in folders:
            folder = tmp_path_factory.mktemp(model)
            with project(folder, template):
                folders[model] = folder, train(f"model={model}", "seed=0")
        folder, found = folders[model]
        monkeypatch.chdir(folder)
        return found

    return once


@pytest.mark.parametrize("model", ["gan", "wgan_gp", "vae"])
def test_a_run_ends_with_scores_and_everything_in_the_store(model, trained):
    found = trained(model)
    run, client = run_of(found["run_id"]), MlflowClient(tracking_uri())
    assert run.info.status == "FINISHED" and run.info.run_name == f"images=640 s0 · {model} mnist5k mlp"
    assert found["images_seen"] == 640
    assert {"score/mnist/fd", "score/mnist/is", "score/mnist/kid"} <= found["scores"].keys()
    assert ("score/likelihood/elbo" in found["scores"]) == (model == "vae")
    for key, score in found["scores"].items():
        assert run.data.metrics[key] == pytest.approx(score["value"])
    tags = {key: run.data.tags[f"ganvas.protocol.{key}"] for key in found["scores"]}
    assert tags == found["fingerprints"] and len(set(tags.values())) == (4 if model == "vae" else 3)
    assert run.data.params["budget.images"] == "640" and run.data.params["seed"] == "0"
    assert run.data.params["model"] == model and not any("_target_" in key for key in run.data.params)
    assert {i.tags[0].value for i in run.inputs.dataset_inputs} == {"train", "val", "test"}
    paths = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "provenance.json", "result.json", "checkpoints", "images"} <= paths
    pictures = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    assert any("samples" in p for p in pictures) and any("reconstructions" in p for p in pictures) == (model == "vae")
    steps = [m.step for m in client.get_metric_history(run.info.run_id, "val/mnist/fd")]
    assert steps == [128, 256, 384, 512, 640]
    assert Image.open("out/samples.png").size[0] > 28 * 3
    assert torch.load(found["checkpoint"], weights_only=True)["images_seen"] == 640


@pytest.fixture
def extractions(monkeypatch):
    from ganvas.scoring import cache, one_pass

    calls, extracted = [], one_pass.extracted
    for module in (cache, one_pass):  # features of the reference, and of the samples
        monkeypatch.setattr(module, "extracted", lambda *a: calls.append(1) or extracted(*a))
    return calls


@pytest.mark.parametrize("metric", ["fd", pytest.param("is", marks=pytest.mark.slow)])
def test_the_best_is_the_best_on_the_selection_split_and_is_reported_on_the_other(metric, extractions, capsys):
    # Learning at a rate that breaks the model: some scoring before the last one is the best.
    found = train("optimizer.lr=0.02", f"score.select={metric}", "seed=3", "ema_halflife=null")
    assert found["best"]["images_seen"] < 640
    assert len(extractions) == 3  # the samples of both weights, and the reference once
    run_id, best = found["run_id"], found["best"]
    during = history(run_id, f"val/mnist/{metric}")
    choose = max if metric == "is" else min
    assert best["images_seen"] == choose(during, key=during.get)
    assert found["selection"]["scores"] == {f"selection/mnist/{metric}": during[best["images_seen"]]}
    assert found["selection"]["split"] == "val" and found["protocols"][FD]["conditions"]["split"] == "test"
    assert found["selection"]["sample_seed"] != found["protocols"][FD]["recorded"]["sample_seed"]
    assert torch.load(best["checkpoint"], weights_only=True)["images_seen"] == best["images_seen"]
    # The report of the best is what `ganvas score` says of its file, by path and by run.
    small = ["n=40", "calibration=false", *(o for o in TINY if "settings" in o)]
    small = [o.replace("score.settings", "settings") for o in small]
    for source in (best["checkpoint"], f"{run_id}/best.ckpt"):
        assert main(["score", source, *small, "seed=1000", "paths.output=scored", "paths.cache=cache"]) == 0
        with open("scored/result.json") as file:
            scored = json.load(file)
        for key, score in best["scores"].items():
            assert scored["scores"][key.replace("best/", "score/")]["value"] == pytest.approx(score["value"], rel=1e-6)
    report, final = (
        found[side]["scores" if side == "best" else f"score/mnist/{metric}"] for side in ("best", "scores")
    )
    sign = 1 if metric == "is" else -1
    report, final = report[f"best/mnist/{metric}"]["value"], final["value"]
    gap = found["gap"]
    assert gap["gap/kept"] == pytest.approx(sign * (report - final))
    assert gap["gap/promised"] == pytest.approx(sign * (during[best["images_seen"]] - during[640])) and (
        gap["gap/promised"] >= 0
    )
    assert gap["gap/optimism"] == pytest.approx(sign * (during[best["images_seen"]] - report))
    run = MlflowClient(tracking_uri()).get_run(run_id)
    assert run.data.metrics[f"best/mnist/{metric}"] == pytest.approx(report)
    assert run.data.metrics["gap/optimism"] == pytest.approx(gap["gap/optimism"])
    assert run.data.tags["ganvas.best_images_seen"] == str(best["images_seen"])
    files = {f.path for f in MlflowClient(tracking_uri()).list_artifacts(run_id, "checkpoints")}
    assert files == {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    assert f"best: mnist/{metric} {report:.4g} at {best['images_seen']:,} images" in capsys.readouterr().out


def test_where_the_last_is_the_best_nothing_is_scored_twice(monkeypatch):
    from ganvas.scoring import measurement

    calls = []
    scores = measurement.scores
    monkeypatch.setattr(measurement, "scores", lambda *a: calls.append(1) or scores(*a))
    found = train(*NARROW, "score.every=640")
    assert len(calls) == 1 and found["best"]["images_seen"] == found["images_seen"] == 640
    assert found["gap"]["gap/kept"] == found["gap"]["gap/promised"] == 0
    assert {k.replace("best/", "score/"): v for k, v in found["best"]["scores"].items()} == found["scores"]


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (["score.select=null"], "score.select=null"),
        (
            ["data.val=0", "score.every=null"],
            "score.every=null: nothing is scored in training; data=mnist5k has no val",
        ),
        (["data=ring"], "extractor=none"),
    ],
)
def test_without_a_selection_the_result_says_why(overrides, why):
    found = train(*NARROW, *overrides)
    assert found["best"] is None and found["gap"] == {} and found["selection"]["none"].startswith(why)
    tags = MlflowClient(tracking_uri()).get_run(found["run_id"]).data.tags
    assert tags["ganvas.selection"].startswith(f"none: {why}")


CHECKS = {
    "gan": {"generator_gradient_norms", "critic_gradient_norms", "discriminator_saturation", "class_coverage"},
    "dragan": {
        *("generator_gradient_norms", "critic_gradient_norms"),
        *("discriminator_saturation", "critic_gradient", "class_coverage"),
    },
    "wgan": {"generator_gradient_norms", "critic_gradient_norms", "critic_gap", "class_coverage"},
    "wgan_gp": {
        *("generator_gradient_norms", "critic_gradient_norms"),
        *("critic_gap", "critic_gradient", "class_coverage"),
    },
    "vae": {"vae_gradient_norms", "active_units", "class_coverage"},
}


@pytest.mark.parametrize(
    "model", ["gan", "wgan_gp", "vae", *(pytest.param(model, marks=pytest.mark.slow) for model in ("dragan", "wgan"))]
)
def test_each_model_is_judged_by_its_own_checks_in_training_and_at_the_end(model, trained):
    found = trained(model)
    findings, run = found["findings"], run_of(found["run_id"])
    assert findings.keys() == CHECKS[model] | {"finite"}
    for name, finding in findings.items():
        assert set(finding) == {"value", "state", "reason"}
        assert run.data.tags[f"ganvas.health.{name}"] == finding["state"]
        assert run.data.metrics[f"health/{name}"] == pytest.approx(finding["value"])
        # A WGAN's generator moves at every fifth batch, and has no norm before.
        first = 384 if name == "generator_gradient_norms" and model.startswith("wgan") else 128
        logged = MlflowClient(tracking_uri()).get_metric_history(found["run_id"], f"health/{name}")
        assert sorted(m.step for m in logged) == list(range(first, 641, 128))  # once at the last step too
