"""What is different on a GPU: transfers, loss scaling, random state, scores; skipped where there is none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from ganvas.cli import main
from ganvas.storage.checkpoints import read

from .docs.test_vae_family import DOWNLOADED, lines
from .tiny import TINY

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts, for deterministic=true
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

ADVERSARIAL = [
    *[
        f"model={model}"
        for model in ("gan", "gan_minimax", "lsgan", "hinge_gan", "pacgan", "dragan", "wgan", "wgan_gp")
    ],
    *[f"model={model} classes=10" for model in ("acgan", "cgan", "cwgan_gp", "projection_gan")],
    *["model=infogan", "model=sngan network=sngan_resnet", "model=gan accumulate=2 gradient_clip=1"],
    *[f"model=gan objective={word}" for word in ("relativistic", "relativistic_average", "top_k", "smoothed")],
    *[f"model=gan constraint={word}" for word in ("bcr", "lecam", "orthogonal", "r1", "r1_r2", "spectral_norm_r1")],
    *[f"model=wgan_gp constraint={word}" for word in ("max_gradient_penalty", "one_sided_gradient_penalty")],
    "model=hinge_gan constraint=cr",
    *[f"model=gan augment={word}" for word in ("ada", "diffaugment", "flip", "instance_noise")],
    *["model=gan auxiliary=feature_matching", "model=gan model.unroll=2 constraint=none data=ring"],
    *["model=gan model.simultaneous=true", "model=gan prior=mixture", "model=gan prior=sphere"],
    *[f"model=gan network={word}" for word in ("dcgan", "maxout", "article", "sagan", "biggan", "r3gan")],
    *["model=gan network=stylegan2 regulariser=path_length constraint=r1"],
]
"""Every game, and every part that draws numbers or holds tensors of its own."""
NETWORKS = {"ladder_vae": "ladder", "hierarchical_vae": "bottom_up", "vdvae": "vdvae", "vq_vae": "vq", "vqgan": "vq"}
"""Networks of the models that cannot use dense ones."""
VARIATIONAL = [
    " ".join(word for word in param.values[0])
    for param in lines()
    if not any(word in part for part in param.values[0] for word in (*DOWNLOADED, "ms_ssim", "pythae_cifar"))
]


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def train(*overrides, output="out"):
    network = next((n for word, n in NETWORKS.items() if f"model={word}" in overrides), "mlp")
    named = any(override.startswith("network=") for override in overrides)
    tiny = [value for value in TINY if not value.startswith("network=")] + ([] if named else [f"network={network}"])
    assert main(["train", *tiny, "trainer.accelerator=gpu", f"paths.output={output}", *overrides]) == 0
    with open(f"{output}/result.json") as file:
        return json.load(file)


def assert_finite(found):
    assert found["images_seen"] == 640
    assert all(torch.isfinite(torch.tensor(score["value"])) for score in found["scores"].values())


@pytest.mark.parametrize("words", [*ADVERSARIAL, *VARIATIONAL])
def test_every_model_trains_and_is_scored(words):
    assert_finite(train(*words.split()))


@pytest.mark.parametrize("model", ["gan", "wgan_gp", "vae", "sngan", "projection_gan classes=10", "vq_vae", "iwae"])
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_every_family_trains_in_half_precision(model, precision):
    assert_finite(train(*f"model={model}".split(), f"trainer.precision={precision}"))


@pytest.fixture
def replays(monkeypatch):
    """Count the steps that are replayed."""
    counted, replay = [], torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: (counted.append(id(graph)), replay(graph))[1])
    return counted


GAMES = [
    *["gan", "gan network=dcgan", "wgan", "wgan_gp network=dcgan", "vae", "iwae", "vae posterior=iaf"],
    *["projection_gan classes=10 network=dcgan", "sngan network=sngan_resnet", "gan gradient_clip=0.1", "aae"],
    *["gan constraint=r1 constraint.every=2", "gan accumulate=2", "gan model.simultaneous=true", "pacgan"],
    *["gan trainer.precision=bf16-mixed", "vae trainer.precision=bf16-mixed", "gan augment=diffaugment"],
]
RUNS = {"eager": ["deterministic=true"], "replayed": ["deterministic=true", "cuda_graphs=true"]}


@pytest.mark.parametrize("words", GAMES)
def test_a_training_by_graphs_is_the_training_without(words, replays):
    line = [f"model={words.split()[0]}", *words.split()[1:], "budget.images=2560", "score.every=null"]
    states = [read(Path(train(*line, *more, output=f)["output"]) / "last.ckpt") for f, more in RUNS.items()]
    assert len(replays) >= 20
    for a, b in zip(*(state["state_dict"].values() for state in states), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    for readings in ("terms", "gradient_norms"):
        eager, replayed = (state[readings] for state in states)
        assert eager.keys() == replayed.keys()
        for name, value in eager.items():
            torch.testing.assert_close(replayed[name], value, rtol=1e-3, atol=1e-5, msg=lambda text, n=name: n + text)


def test_the_checkpoint_of_a_training_by_graphs_is_that_of_any_training(replays):
    train("model=gan", "cuda_graphs=true", "budget.images=1280", output="half")
    groups = read(Path("half/last.ckpt"))["optimizer_states"][0]["param_groups"]
    assert replays and not any(group.get("capturable") for group in groups)


@pytest.mark.parametrize("words", [*ADVERSARIAL, *VARIATIONAL])
def test_every_model_trains_by_graphs_or_says_why_not(words, capsys):
    try:
        assert_finite(train(*words.split(), "cuda_graphs=true", "batch_size=16"))
    except AssertionError:
        said = capsys.readouterr().err
        assert "cuda_graphs=true: " in said and "write" in said, said
        Path(os.environ.get("REFUSED", os.devnull)).open("a").write(f"{words}: {said}")


@pytest.mark.parametrize("words", ["gan network=dcgan", "wgan_gp network=dcgan", "vae", "vq_vae"])
def test_deterministic_training_gives_the_same_weights_twice(words):
    first, second = (weights(train(*f"model={words}".split(), "deterministic=true", output=f)) for f in ("a", "b"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def weights(found):
    return read(Path(found["output"]) / "last.ckpt")["state_dict"]


@pytest.mark.parametrize("model", ["gan", "vae", "wgan_gp"])
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


def test_a_dry_run_says_the_memory_of_the_card(capsys):
    assert main(["train", *TINY, "trainer.accelerator=gpu", "--dry-run"]) == 0
    assert "cuda" in capsys.readouterr().out
