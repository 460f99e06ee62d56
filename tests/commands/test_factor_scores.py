"""Sprites from the command line: a training, its scores of disentanglement and reconstruction, and what is refused."""

import json

import numpy as np
import pytest

from ganvas.cli import main

from ..tiny import NARROW, TINY, project

SPRITES = ["data=sprites", *(f"data.{word}" for word in ("size=16", "scales=2", "rotations=4", "xs=4", "ys=4"))]
HELD_OUT = ["data.val=20", "data.test=160"]
FACTORS = ["factors.votes=50", "factors.trees=2", "factors.parts=3"]


@pytest.fixture
def trained(store):
    def train(*line):
        code = main(["train", *TINY, *NARROW, "score.every=null", "prior.dim=4", "paths.output=run", *line])
        return code, json.loads((store / "run" / "result.json").read_text())

    return train


def score(*line, source="run"):
    code = main(["score", source, "paths.output=out", "paths.cache=cache", *line])
    return code, json.loads(open("out/result.json").read()) if code == 0 else None


def test_sprites_are_trained_on_and_scored_by_their_factors(trained, capsys):
    code, result = trained(*SPRITES, *HELD_OUT, "model=beta_vae")
    assert code == 0 and "score/likelihood/elbo" in result["scores"] and "score/factors/mig" not in result["scores"]
    metrics = "metrics=[mig,dci,sap,factor_vae_score,psnr,ssim]"
    code, found = score(metrics, *FACTORS)
    factors = ("mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "factor_vae_score")
    keys = [*(f"score/factors/{name}" for name in factors), "score/reconstruction/psnr", "score/reconstruction/ssim"]
    assert code == 0 and list(found["scores"]) == keys
    for key in keys[:6]:
        value, floor = found["scores"][key]["value"], found["calibration"]["floor"][key]
        assert 0 <= value <= 1 and found["calibration"]["ceiling"][key] < floor and found["scores"][key]["interval"]
    conditions = found["protocols"]["score/factors/mig"]["conditions"]
    assert conditions["n"] == 160 and conditions["factors"] == {"shape": 3, "scale": 2, "rotation": 4, "x": 4, "y": 4}
    with np.load("out/mig.npz") as arrays:
        assert arrays["matrix"].shape == (4, 5) and arrays["factors"].tolist() == list(conditions["factors"])
    assert "factors/mig" in capsys.readouterr().out
    assert score(metrics, *FACTORS)[1]["scores"] == found["scores"]
    code, _ = score("metrics=[lpips]", "reconstruction.net=vgg19")
    assert code == 2 and "reconstruction.net=vgg19: expected alex, vgg, squeeze" in capsys.readouterr().err


@pytest.fixture(scope="module")
def digits(tmp_path_factory, template):
    """A folder with a VAE and a GAN of digits."""
    folder = tmp_path_factory.mktemp("digits")
    with project(folder, template):
        for model in ("vae", "gan"):
            line = ["budget.images=64", "score.every=null", f"model={model}", f"paths.output={model}"]
            assert main(["train", *TINY, *NARROW, *line]) == 0
    return folder


@pytest.mark.parametrize(
    ("model", "metric", "message"),
    [
        ("vae", "mig", "mig needs data whose factors are known, and those of mnist5k are not"),
        ("gan", "mig", "mig needs a model that encodes, and gan does not; leave mig out"),
        ("gan", "psnr", "psnr needs a model that reconstructs, and gan does not; leave psnr out"),
    ],
)
def test_what_does_not_apply_is_one_sentence(digits, monkeypatch, capsys, model, metric, message):
    monkeypatch.chdir(digits)
    code, _ = score(f"metrics=[fd,{metric}]", source=model)
    said = capsys.readouterr().err
    assert code == 2 and message in said and "Traceback" not in said and len(said.strip().splitlines()) <= 4


def test_a_conditional_model_draws_the_shapes_by_their_names(trained, capsys):
    assert trained(*SPRITES, *HELD_OUT, "model=cgan")[0] == 0
    assert main(["sample", "run", "-n", "4", "--classes", "heart,square", "--out", "drawn"]) == 0
    with np.load("drawn/samples.npz") as arrays:
        assert arrays["labels"].tolist() == [2, 0, 2, 0] and arrays["images"].shape == (4, 16, 16)
