"""Samplers after training from the command line: what is drawn, what a protocol says, and what is refused."""

import json

import numpy as np
import pytest
import torch

from ganvas.cli import main
from ganvas.latents import MixtureSampler
from ganvas.scoring.subjects import open_subject
from ganvas.types import to_uint8

from ..tiny import TINY, project

CPU = torch.device("cpu")
LINE = ["model=vae", "prior.dim=3", "network.encoder.hidden=[16]", "network.decoder.hidden=[16]", "score.every=null"]
FITTED = ["sampler=gmm", "sampler.components=3", "sampler.images=200"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, template):
    """A VAE whose final scores are those of a sampler, its folder and its result."""
    folder = tmp_path_factory.mktemp("runs")
    with project(folder, template):
        assert main(["train", *TINY, *LINE, *FITTED, "paths.output=vae"]) == 0
        yield folder / "vae", json.loads((folder / "vae" / "result.json").read_text())


def scored(source, *options, out):
    few = ["n=40", "metrics=[fd,elbo]", "calibration=false", "paths.cache=cache", f"paths.output={out}"]
    code = main(["score", str(source), *few, *options])
    return json.loads((out / "result.json").read_text()) if code == 0 else code


def test_samples_are_decoded_draws_of_a_fit_to_codes_of_training_images(run, tmp_path):
    assert main(["sample", str(run[0]), *FITTED, "-n", "20", "--out", str(tmp_path)]) == 0
    found = np.load(tmp_path / "samples.npz")["images"]
    subject = open_subject(str(run[0]), CPU)
    codes = torch.cat([subject.model.codes([part], seed=0) for part in subject.data.held_out("train", 200, 200)])
    fitted = MixtureSampler(images=200, seed=0, components=3, iterations=100, floor=1e-6).fit(codes)
    z = fitted.sample(20, generator=torch.Generator().manual_seed(1000))
    assert np.array_equal(found, to_uint8(subject.decoded(z))[:, 0].numpy())
    assert not np.array_equal(found, to_uint8(subject.sample(20, 1000))[:, 0].numpy())
    stated = json.loads((tmp_path / "result.json").read_text())["sampler"]
    numbers = {"images": 200, "seed": 0, "components": 3, "iterations": 100, "floor": 1e-6}
    assert stated == {"kind": "gmm", "revision": 1, **numbers}


def test_codes_are_draws_of_the_posterior(run):
    model = open_subject(str(run[0]), CPU).model
    (batch,) = open_subject(str(run[0]), CPU).data.held_out("train", 4, 4)
    posterior = model.posterior(batch)
    torch.manual_seed(7)
    expected = posterior.rsample(())
    assert torch.equal(model.codes([batch], seed=7), expected) and not torch.equal(expected, posterior.mean)


def test_a_protocol_names_the_sampler_and_the_table_says_so(run, tmp_path, capsys):
    source, trained = run
    plain, fitted = scored(source, out=tmp_path / "a"), scored(source, *FITTED, out=tmp_path / "b")
    key = "score/mnist/fd"
    conditions = [found["protocols"][key]["conditions"] for found in (plain, fitted, trained)]
    assert conditions[0] == {name: value for name, value in conditions[1].items() if name != "sampling"}
    assert conditions[1]["sampling"]["sampler"]["kind"] == "gmm" and conditions[1] == conditions[2]
    assert fitted["scores"][key] == trained["scores"][key] != plain["scores"][key]
    assert fitted["fingerprints"][key] != plain["fingerprints"][key]
    assert fitted["fingerprints"]["score/likelihood/elbo"] == plain["fingerprints"]["score/likelihood/elbo"]
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("latents are drawn from sampler=gmm, fitted to codes of 200 training images, not from the") == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            ["sample", "VAE", "sampler=gmm", "--kind", "walk"],
            "kind=walk does not draw examples one by one",
        ),
        (["score", "VAE", "sampler=gmm", "truncation=0.5"], "leave one of the two out"),
        (["score", "VAE", "sampler=gmm", "sampler.components=0"], "sampler.components=0: expected at least 1"),
        (["score", "IMAGES", "sampler=gmm", "reference=mnist5k"], "holds images, expected a model; leave sampler out"),
        (["train", *TINY, "model=gan", "sampler=gmm"], "sampler=gmm: expected a VAE or autoencoder"),
        (["train", *TINY, "model=vae", "prior=sphere", "posterior=von_mises_fisher", "sampler=gmm"], "UniformSphere"),
    ],
)
def test_what_has_no_codes_is_refused_in_one_line(run, tmp_path, capsys, line, words):
    np.savez(tmp_path / "images.npz", images=np.zeros((4, 28, 28), np.uint8))
    places = {"VAE": str(run[0]), "IMAGES": str(tmp_path / "images.npz")}
    assert main([*(places.get(word, word) for word in line), f"paths.output={tmp_path}/out"]) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said


def test_a_deterministic_encoder_has_its_means_as_codes(tmp_path, template):
    with project(tmp_path, template):
        line = [*LINE, "objective=rae_l2", "likelihood=gaussian", "extractor=none", "score.select=null"]
        assert main(["train", *TINY, *line, "paths.output=rae"]) == 0
        subject = open_subject("rae", CPU)
        (batch,) = subject.data.held_out("train", 4, 4)
        assert torch.equal(subject.model.codes([batch], seed=7), subject.model.posterior(batch).mean)


def test_a_traversal_shows_codes_first(tmp_path, template):
    with project(tmp_path, template):
        line = ["model=joint_vae", "prior.dim=7", "prior.categorical=[3,2]", *LINE[2:]]
        short = ["extractor=none", "score.select=null", "budget.images=128", "checkpoint.every=128"]
        assert main(["train", *TINY, *line, *short, "paths.output=joint"]) == 0
        assert main(["sample", "joint", "--kind", "traversal", "-n", "12", "columns=4", "--out", "rows"]) == 0
        subject = open_subject("joint", CPU)
        start = subject.prior.sample(1, generator=torch.Generator().manual_seed(1000)).repeat(4, 1)
        found = np.load("rows/samples.npz")["images"].reshape(3, 4, 28, 28)
        rows = []
        for code in subject.prior.one_hot:
            count = code.stop - code.start
            z = start.clone()
            z[:, code] = torch.eye(count)[torch.arange(4) % count]
            rows.append(to_uint8(subject.decoded(z))[:, 0].numpy())
        assert {row.tobytes() for row in found[:2]} == {row.tobytes() for row in rows}
