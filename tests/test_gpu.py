"""What is different on a GPU: transfers, loss scaling, random state, scores; skipped where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ganvas.cli import main
from ganvas.storage.checkpoints import read

from .tiny import TINY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def train(*overrides, output):
    assert main(["train", *TINY, "trainer.accelerator=gpu", f"paths.output={output}", *overrides]) == 0
    with open(f"{output}/result.json") as file:
        return json.load(file)


@pytest.mark.parametrize("model", ["gan", "wgan_gp", "vae"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_every_family_trains_in_every_precision(model, precision):
    found = train(f"model={model}", f"trainer.precision={precision}", output="out")
    assert found["images_seen"] == 640
    assert all(torch.isfinite(torch.tensor(score["value"])) for score in found["scores"].values())


@pytest.mark.parametrize("model", ["gan", "vae"])
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(model):
    whole = train(f"model={model}", "budget.images=1280", output="whole")
    train(f"model={model}", output="half")
    resumed = train(f"model={model}", "budget.images=1280", "resume=half/last.ckpt", output="rest")
    for a, b in zip(*(read(Path(f"{f}/last.ckpt"))["state_dict"].values() for f in ("whole", "rest")), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert whole["images_seen"] == resumed["images_seen"] == 1280


def test_a_score_is_that_of_the_processor():
    train("model=wgan_gp", output="out")
    common = ["score", "out/last.ckpt", "n=500", "metrics=[fd,is,kid,prdc]"]
    found = {}
    for device in ("cpu", "cuda"):
        assert main([*common, f"device={device}", f"paths.output={device}", f"paths.cache={device}-cache"]) == 0
        with open(f"{device}/result.json") as file:
            found[device] = json.load(file)["scores"]
    assert found["cpu"].keys() == found["cuda"].keys()
    for key, score in found["cpu"].items():
        assert found["cuda"][key]["value"] == pytest.approx(score["value"], rel=5e-3, abs=2e-3), key
