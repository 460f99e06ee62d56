"""Two commands from images to samples: a VQ-VAE, and the prior over its codes; and what each command makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.cli import main
from ganvas.scoring.subjects import open_subject
from ganvas.storage.checkpoints import read
from ganvas.types import Batch, to_uint8

from ..tiny import TINY, project

SMALL = [
    *(argument for argument in TINY if argument != "network=mlp"),
    "score.every=null",
    "network.grid_encoder.channels=[4,8]",
    "network.grid_decoder.channels=[8,4]",
    "network.grid_encoder.blocks=1",
    "network.grid_decoder.blocks=1",
    "quantiser.codes=16",
    "quantiser.dim=4",
]
PREDICTOR = ["network.predictor.channels=4", "network.predictor.layers=2", "network.predictor.hidden=8"]
PRIOR = ["model=code_prior", *SMALL, *PREDICTOR]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, template):
    """A VQ-VAE, and a prior over its codes, trained for a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        assert main(["train", "model=vq_vae", *SMALL, "paths.output=first"]) == 0
        assert main(["train", *PRIOR, "init_from=first", "paths.output=prior"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(runs, monkeypatch):
    monkeypatch.chdir(runs)


def result_of(folder):
    return json.loads((Path(folder) / "result.json").read_text())


def test_the_first_stage_of_the_prior_is_that_of_the_run():
    first, prior = (read(Path(name) / "last.ckpt")["state_dict"] for name in ("first", "prior"))
    stage = [key for key in first if key.partition(".")[0] in ("encoder", "quantiser", "decoder")]
    assert stage and all(torch.equal(first[key], prior[key]) for key in stage)
    assert any(key.startswith("averages.learned_prior.module.network.") for key in prior)


def test_findings_and_scores():
    for name in ("first", "prior"):
        assert {"used_codes", "perplexity", "finite"} <= result_of(name)["findings"].keys()
    assert "prior_gradient_norms" in result_of("prior")["findings"]
    bits = result_of("prior")["scores"]["score/codes/bits_per_dimension"]
    assert 0 < bits["value"] < np.log2(16) * 49 / 784 * 1.5
    assert not any("likelihood" in key for key in [*result_of("prior")["scores"], *result_of("first")["scores"]])


@pytest.mark.parametrize("name", ["first", "prior"])
def test_both_are_sampled_by_the_same_command(name, tmp_path):
    assert main(["sample", name, "-n", "12", "--seed", "5", "columns=4", "--out", str(tmp_path)]) == 0
    model = open_subject(name, torch.device("cpu")).model
    array = np.load(tmp_path / "samples.npz")["images"]
    assert np.array_equal(array, to_uint8(model.sample(12, 5))[:, 0].numpy())
    assert main(["sample", name, "-n", "8", "--kind", "reconstruction", "--out", str(tmp_path)]) == 0
    assert Image.open(tmp_path / "reconstruction.png").size[0] == 8 * 58 + 2


@pytest.mark.parametrize("kind", ["interpolation", "traversal", "directions", "walk", "mixing", "invert", "inpaint"])
def test_kinds_that_move_latents_are_refused(kind, tmp_path, capsys):
    assert main(["sample", "first", "--kind", kind, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert f"kind={kind} moves latents" in said and "codes" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_bits_of_codes_are_those_of_the_model_and_name_what_makes_the_codes(tmp_path):
    lengths = {}
    for name in ("first", "prior"):
        given = ["metrics=[code_bits]", "calibration=false", f"paths.output={tmp_path}/{name}"]
        assert main(["score", name, *given]) == 0
        result = result_of(tmp_path / name)
        subject = open_subject(name, torch.device("cpu"))
        x = subject.data.some("test", 1000)
        nats = subject.model.code_nats(Batch(x.x, None, x.index)).double()
        found = result["scores"]["score/codes/bits_per_dimension"]
        assert found["value"] == pytest.approx(float(nats.mean()) / np.log(2) / 784, rel=1e-5)
        conditions = next(iter(result["protocols"].values()))["conditions"]
        lengths[name] = (conditions["coding"], conditions["n"])
    assert lengths["first"] == lengths["prior"] and lengths["first"][1] == 1000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([*PRIOR, "init_parts=null"], "encoder and quantiser and decoder of CodePrior must come from a run"),
        ([*PRIOR, "init_from=first", "init_parts=[encoder]"], "leaves out quantiser and decoder"),
        ([*PRIOR, "init_from=first", "quantiser.codes=17"], "quantiser.codes: 16 there, 17 here"),
        ([*PRIOR, "init_from=first", "quantiser=vq"], "quantiser._target_: ganvas.latents.VQEMA there"),
        ([*PRIOR, "init_from=first", "likelihood=bernoulli"], "likelihood._target_: ganvas.objectives.Gaussian there"),
        ([*PRIOR, "init_from=first", "network.grid_decoder.blocks=2"], "network.grid_decoder.blocks: 1 there, 2 here"),
        (["model=vae", "network=conv", "init_from=first", *TINY[1:]], "part 'encoder' differs"),
    ],
)
def test_another_first_stage_is_refused(line, said, capsys, tmp_path):
    assert main(["train", *line, f"paths.output={tmp_path}/out", "tracking.offline=true"]) == 2
    assert said in capsys.readouterr().err


def test_a_prior_goes_on_from_a_prior(tmp_path):
    """All parts of the run, the predictor too, and other first weights are no difference."""
    line = [*PRIOR, "init_from=prior", "init_parts=null", "init@network.grid_encoder.init=orthogonal"]
    line += ["budget.images=64", "optimizer.lr=0", "tracking.offline=true", "extractor=none", "score.select=null"]
    assert main(["train", *line, f"paths.output={tmp_path}/out"]) == 0
    old, new = (read(Path(name) / "last.ckpt")["state_dict"] for name in ("prior", tmp_path / "out"))
    parts = [key for key in old if key.startswith("learned_prior.")]
    assert parts and all(torch.equal(old[key], new[key]) for key in parts)


def test_models_without_codes_have_no_such_score(tmp_path, capsys):
    assert (
        main(["train", "model=vae", *TINY, "score.every=null", "budget.images=64", f"paths.output={tmp_path}/vae"]) == 0
    )
    assert main(["score", f"{tmp_path}/vae", "metrics=[code_bits]", f"paths.output={tmp_path}/out"]) == 2
    assert "code_bits needs a model with codes (vq_vae, code_prior)" in capsys.readouterr().err
    assert main(["score", "first", "metrics=[elbo]", f"paths.output={tmp_path}/out"]) == 2
    assert "elbo needs a VAE" in capsys.readouterr().err
    assert main(["score", "first", "metrics=[code_bits]", "reference=mnist5k", f"paths.output={tmp_path}/out"]) == 2
    assert "leave reference=mnist5k out" in capsys.readouterr().err


def test_a_prior_resumes_without_its_first_stage(tmp_path):
    assert main(["train", "resume=prior", "budget.images=704", f"paths.output={tmp_path}/more"]) == 0
    assert result_of(tmp_path / "more")["images_seen"] == 704


def test_an_export_is_the_same_model(tmp_path):
    assert main(["export", "prior", "--out", str(tmp_path / "folder")]) == 0
    there, here = (open_subject(str(name), torch.device("cpu")).model for name in (tmp_path / "folder", "prior"))
    assert torch.equal(there.sample(3, seed=1), here.sample(3, seed=1))
