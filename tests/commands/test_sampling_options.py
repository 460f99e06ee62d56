"""Options of sampling from the command line: what is drawn, what a protocol says, and what is refused."""

import json
import shutil

import numpy as np
import pytest
import torch

from ganvas.cli import main
from ganvas.models import Sampling
from ganvas.scoring.subjects import open_subject
from ganvas.storage.checkpoints import read
from ganvas.types import to_uint8

from ..tiny import TINY, project

CPU = torch.device("cpu")
LINE = ["model=gan", "network.generator.batch_norm=true", "score.every=null", "score.standing=2"]
KEPT = ["ema.sigmas=[0.05,0.1]", "ema.every=64"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, template):
    """A GAN with batch normalisation that keeps averages, its folder and its result."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        assert main(["train", *TINY, *LINE, *KEPT, "paths.output=kept"]) == 0
        yield folder, json.loads((folder / "kept" / "result.json").read_text())


def sampled(source, *options, out):
    code = main(["sample", str(source), "--out", str(out), "-n", "20", *options])
    return json.loads((out / "result.json").read_text()) if code == 0 else code


def scored(source, *options, out):
    few = ["n=40", "metrics=[fd]", "calibration=false", "paths.cache=cache", f"paths.output={out}"]
    code = main(["score", str(source), *few, *options])
    return json.loads((out / "result.json").read_text()) if code == 0 else code


@pytest.mark.parametrize("given", [{"truncation": 0.5}, {"ema": 0.07, "standing": 3}])
def test_samples_are_those_of_the_model_by_the_same_options(run, tmp_path, given):
    options = [f"{name}={value}" for name, value in given.items()]
    result = sampled(run[0] / "kept", *options, out=tmp_path)
    assert {name: result[name] for name in given} == given and result["weights"] == "ema"
    subject = open_subject(str(run[0] / "kept"), CPU, sampling=Sampling(**given))
    expected = to_uint8(subject.model.sample(20, 1000, sampling=Sampling(**given)))[:, 0].numpy()
    plain = to_uint8(open_subject(str(run[0] / "kept"), CPU).model.sample(20, 1000))[:, 0].numpy()
    assert np.array_equal(np.load(result["array"])["images"], expected) and not np.array_equal(expected, plain)


def test_a_run_id_has_its_snapshots_in_the_store(run, tmp_path):
    folder, result = run
    gone = tmp_path / "elsewhere"
    shutil.move(folder / "kept", gone)
    try:
        by_id = np.load(sampled(result["run_id"], "ema=0.07", out=tmp_path / "a")["array"])["images"]
    finally:
        shutil.move(gone, folder / "kept")
    assert np.array_equal(by_id, np.load(sampled(folder / "kept", "ema=0.07", out=tmp_path / "b")["array"])["images"])


def test_a_protocol_changes_with_an_option_alone(run, tmp_path):
    folder, trained = run
    plain = scored(folder / "kept", out=tmp_path / "a")
    standing = scored(folder / "kept", "standing=2", out=tmp_path / "b")
    both = scored(folder / "kept", "standing=2", "ema=0.1", out=tmp_path / "c")
    key = "score/mnist/fd"
    conditions = [r["protocols"][key]["conditions"] for r in (plain, standing, both, trained)]
    assert conditions[0] == {name: value for name, value in conditions[1].items() if name != "sampling"}
    assert conditions[1]["sampling"] == {"standing": "2 batches of 100"} == conditions[3]["sampling"]
    assert conditions[2]["sampling"] == {"ema": 0.1, "standing": "2 batches of 100"}
    digits = [r["fingerprints"][key] for r in (plain, standing, both, trained)]
    assert len(set(digits)) == 3 and digits[1] == digits[3]
    assert trained["scores"][key] == standing["scores"][key] != plain["scores"][key]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["standing=2", "--kind", "reconstruction"], "kind=reconstruction draws no examples from the prior"),
        (["standing=0"], "standing=0: expected at least 1 batch"),
        (["ema=0.28"], "expected at most 10%"),
        (["truncation=-1"], "truncation=-1.0: expected a number above 0"),
    ],
)
def test_what_does_not_act_is_refused_in_one_line(run, tmp_path, capsys, options, words):
    assert sampled(run[0] / "kept", *options, out=tmp_path) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said


def test_images_and_networks_without_the_layer_are_refused(run, tmp_path, capsys):
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 28, 28), np.uint8))
    assert scored(tmp_path / "a.npz", "reference=mnist5k", "standing=2", out=tmp_path / "b") == 2
    assert f"standing=2: {tmp_path}/a.npz holds images" in capsys.readouterr().err
    assert main(["train", *TINY, "model=gan", "score.standing=2", f"paths.output={tmp_path}/c"]) == 2
    assert "score.standing=2: the generator has no batch normalisation" in capsys.readouterr().err
    assert main(["train", *TINY, "model=gan", "ema.sigmas=[0.05,0.5]", f"paths.output={tmp_path}/d"]) == 2
    assert "ema.sigmas: sigma_rel=0.5: expected a number above 0 and at most 0.2887" in capsys.readouterr().err


@pytest.mark.slow
def test_averages_change_no_weight_and_go_on_where_they_were(run, tmp_path):
    """By the command line: without averages, and with a stop in the middle and the rest in another folder."""
    folder = run[0]
    whole = read(folder / "kept" / "last.ckpt")
    fast = [*TINY, *LINE, "extractor=none", "score.select=null", "score.standing=null"]
    assert main(["train", *fast, "extractor=mnist", f"paths.output={tmp_path}/none"]) == 0
    assert main(["train", *fast, *KEPT, "budget.images=320", f"paths.output={tmp_path}/half"]) == 0
    resume = [f"resume={tmp_path}/half", "budget.images=640", f"paths.output={tmp_path}/rest"]
    assert main(["train", *resume]) == 0
    rest = read(tmp_path / "rest" / "last.ckpt")
    for other in (read(tmp_path / "none" / "last.ckpt"), rest):
        assert all(torch.equal(other["state_dict"][key], value) for key, value in whole["state_dict"].items())
    assert "posthoc" not in read(tmp_path / "none" / "last.ckpt")
    assert rest["posthoc"]["snapshots"] == whole["posthoc"]["snapshots"] and len(rest["posthoc"]["snapshots"]) == 10
    for width, tensors in whole["posthoc"]["averages"].items():
        assert all(torch.equal(rest["posthoc"]["averages"][width][key], value) for key, value in tensors.items())
    assert not (tmp_path / "none" / "ema").exists()
