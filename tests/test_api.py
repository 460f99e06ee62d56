"""The Python API: the same numbers as the command, and parts that need neither Hydra nor MLflow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas.cli import main
from ganvas.config import ConfigError

from .tiny import TINY


@pytest.fixture
def run(store):
    return ganvas.train("model=vae", *TINY, "budget.images=128", "score.every=null", seed=3)


def test_a_run_gives_what_the_command_gives(run, store):
    line = ["train", "model=vae", *TINY, "budget.images=128", "score.every=null", "seed=3", "paths.output=again"]
    assert main(line) == 0
    ours, again = (torch.load(f / "last.ckpt", weights_only=True)["state_dict"] for f in (run.output, store / "again"))
    assert all(torch.equal(ours[key], again[key]) for key in ours)
    assert run.scores["score/mnist/fd"].value > 0 and run.scores["score/mnist/fd"].interval is not None
    assert {"score/mnist/fd", "score/likelihood/elbo"} <= set(run.scores.table.index)
    assert run.model.sample(2, seed=0).shape == (2, 1, 28, 28)
    assert run.show(2, 3)._repr_png_().startswith(b"\x89PNG")


def test_scores_and_models_of_a_run(run, store):
    few = {"metrics": ["fd", "kid"], "n": 60, "calibration": False}
    found = ganvas.score(run.id, "settings.kid_subsets=2", "paths.cache=cache", **few)
    assert list(found) == ["score/mnist/fd", "score/mnist/kid"] and found.table.loc["score/mnist/kid", "value"] > 0
    loaded = ganvas.load(run.id)
    assert torch.equal(loaded.sample(3, seed=1), run.model.sample(3, seed=1).cpu())
    images = np.zeros((40, 28, 28), dtype=np.uint8)
    images[:20, 8:20, 8:20] = 255
    np.savez(store / "x.npz", images=images)
    kid = ganvas.score("x.npz", reference="x.npz", extractor="mnist", metrics=["fd"])["score/mnist/fd"]
    assert kid.value == pytest.approx(0, abs=1e-3)


def test_a_study_s_ranking(store):
    for seed in (1, 2):
        for model in ("gan", "vae"):
            small = [*TINY, "budget.images=64", "score.every=null", f"model={model}"]
            ganvas.train(*small, seed=seed, study="small")
    report = ganvas.report("small", score="score/mnist/fd")
    assert len(report.ranking) == 2 and report.page.is_file()


def test_bad_input_raises_what_the_command_says(store):
    with pytest.raises(ConfigError, match="VAE needs a variational bound"):
        ganvas.train("model=vae", "objective=hinge", *TINY)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ganvas.nothing  # noqa: B018


PARTS = """
import sys
import ganvas
assert not {"torch", "hydra", "mlflow"} & set(sys.modules)
from functools import partial
import torch
from ganvas.latents import Normal
from ganvas.networks import init, mlp
from ganvas.objectives import Hinge, R1
from ganvas.metrics.frechet import frechet_distance
critic = mlp.Critic((1, 8, 8), [16], "ReLU", partial(init.normal_, std=0.1))
real, fake = torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)
loss = Hinge().critic_terms(critic(real), critic(fake)).total + R1(1.0, every=1).penalty(critic, real, fake)
loss.backward()
print(Normal(3).sample(2).shape, frechet_distance(torch.randn(9, 2), torch.randn(9, 2)) >= 0)
print(sorted({"hydra", "omegaconf", "mlflow", "pytorch_lightning"} & set(sys.modules)))
"""


def test_parts_need_neither_hydra_nor_mlflow():
    done = subprocess.run([sys.executable, "-c", PARTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_readme_s_lines_of_python(store):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    small = '"budget.images=320", "score.n=100", "score.every=null", "score.settings.is_splits=2", "paths.cache=c"'
    code = code.replace('"budget.images=20000"', small).replace("metrics=[", "n=100, metrics=[")
    found = {}
    exec(code, found)
    assert found["images"].shape == (64, 1, 28, 28) and found["again"].shape == (100, 1, 28, 28)
    assert "score/mnist/precision" in found["table"].index and found["run"].show()._repr_png_()
