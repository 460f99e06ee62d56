"""The commands as Python functions, inside a program of its own."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from mlflow.tracking import MlflowClient
from PIL import Image

import ganvas
from ganvas.api.composing import calling, written
from ganvas.cli import main
from ganvas.config import ConfigError
from ganvas.storage.checkpoints import CheckpointError
from ganvas.tracking.store import tracking_uri
from ganvas.types import to_uint8

from .tiny import NARROW
from .tiny import TINY as WIDE

TINY = [*WIDE, *NARROW]
SCORES = ["settings.is_splits=2", "settings.kid_subsets=2", "paths.cache=cache"]
FD = "score/mnist/fd"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a store, one trained run in it."""
    folder = tmp_path_factory.mktemp("program")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield folder


@pytest.fixture(scope="module")
def run(place):
    return ganvas.train(*TINY, "paths.cache=cache", seed=3, study="program", batch_size=32)


def python(program, *arguments):
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


# Importing


def test_import_of_ganvas_alone_imports_nothing_heavy():
    heavy = python("import ganvas, sys; print(sorted({m.split('.')[0] for m in sys.modules}))").stdout
    for package in ("torch", "hydra", "mlflow", "pandas", "numpy", "omegaconf", "pytorch_lightning"):
        assert f"'{package}'" not in heavy


PARTS = """
import sys, torch, ganvas
real, fake = torch.randn(4), torch.randn(4)
assert ganvas.objectives.Hinge().critic_terms(real, fake).total > 0
bound = ganvas.objectives.IWAE(samples=5)
prior = ganvas.latents.Normal(dim=3)
from ganvas.networks import mlp, init
from functools import partial
net = mlp.Generator([1, 8, 8], 3, [16], "ReLU", False, partial(init.glorot_uniform_, gain=1.0))
images = net(prior.sample(5))
assert images.shape == (5, 1, 8, 8)
from ganvas.metrics.frechet import frechet_distance
from ganvas.metrics.registry import metrics
assert "kid" in metrics()
from ganvas.data import TensorExamples
x = torch.randn(50, 4, dtype=torch.float64)
assert abs(frechet_distance(x, x)) < 1e-8
print([m for m in ("hydra", "mlflow", "omegaconf", "pytorch_lightning") if m in sys.modules])
"""


def test_parts_can_be_used_without_hydra_and_mlflow():
    loaded = python(PARTS).stdout
    assert "hydra" not in loaded and "mlflow" not in loaded and "omegaconf" not in loaded


def test_the_names_of_the_package_are_those_it_promises():
    assert set(ganvas.__all__) <= set(dir(ganvas))
    for name in ganvas.__all__:
        assert getattr(ganvas, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = ganvas.trian


def test_the_package_ships_its_types():
    assert (Path(ganvas.__file__).parent / "py.typed").is_file()


# Training


def test_a_run_is_what_the_command_line_makes_of_the_same_overrides(run, place):
    overrides = [*TINY, "paths.cache=cache", "seed=3", "batch_size=32", "study=program", "paths.output=line"]
    assert main(["train", *overrides]) == 0
    line = json.loads((place / "line" / "result.json").read_text())
    ours = torch.load(run.output / "last.ckpt", weights_only=True)["state_dict"]
    theirs = torch.load("line/last.ckpt", weights_only=True)["state_dict"]
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert {key: score.value for key, score in run.scores.items()} == {
        key: score["value"] for key, score in line["scores"].items()
    }
    assert run.name == line["name"]


def test_a_result_tells_what_stands_in_result_json(run):
    told = json.loads((run.output / "result.json").read_text())
    assert run.output.parts[-3] == "outputs" and run.images_seen == 640
    assert run.id == told["run_id"] and run.result["scores"].keys() == told["scores"].keys()
    low, high = run.scores[FD].interval
    assert [low, high] == pytest.approx(told["scores"][FD]["interval"])
    assert run.best.keys() == told["best"]["scores"].keys() == {key.replace("score/", "best/") for key in run.scores}
    assert run.best.table.loc["best/mnist/fd", "protocol"] == told["fingerprints"][FD]
    assert run.findings == told["findings"] and run.findings["finite"]["state"] == "ok"
    row = run.frame.loc[FD]
    assert (
        row.value == run.scores[FD].value and row.sd == run.scores[FD].sd and row.protocol == told["fingerprints"][FD]
    )
    assert run.config.seed == 3 and FD in run._repr_html_()


def test_a_run_without_a_best_checkpoint_says_so(place):
    run = ganvas.train(*TINY, "budget.images=64", "score.every=null", extractor="none")
    assert dict(run.best) == {} and dict(run.scores) == {}


def test_the_run_is_in_mlflow(run):
    stored = MlflowClient(tracking_uri()).get_run(run.id)
    assert stored.info.status == "FINISHED" and stored.data.metrics[FD] == run.scores[FD].value


def test_model_and_samples_come_from_the_last_checkpoint(run):
    images = run.sample(6, seed=5)
    assert images.shape == (6, 1, 28, 28) and images.abs().max() <= 1
    torch.testing.assert_close(images, run.model.sample(6, 5), rtol=0, atol=0)
    for source in (run.id, run.output / "last.ckpt", run.output):
        loaded = ganvas.load(source)
        assert torch.equal(loaded.sample(6, seed=5), images) and loaded.images_seen == 640
        assert loaded.config.model._target_ == "ganvas.models.GAN"


def test_a_grid_is_shown_in_a_notebook(run):
    picture = run.show(2, 3, seed=5)
    shown = Image.open(io.BytesIO(picture._repr_png_()))
    assert shown.format == "PNG" and shown.size == picture.image.size
    width, height = shown.size
    assert width == 3 * 58 + 2 and height == 2 * 58 + 2  # cells of 56 pixels, borders of 2
    first = to_uint8(run.sample(6, seed=5))[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert np.array_equal(np.asarray(picture.image)[2:58, 2:58, 0], first.numpy())
    with pytest.raises(ConfigError, match="rows=0"):
        run.show(0, 3)


def test_points_are_shown_too(place):
    points = ganvas.train(*TINY, "score.every=null", data="ring", extractor="none", budget={"images": 64})
    assert points.show().image.size[0] > 100 and points.sample(5).shape == (5, 2)


def test_training_leaves_the_programs_random_state_alone(place):
    torch.manual_seed(11), np.random.seed(11), random.seed(11)
    expected = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(11), np.random.seed(11), random.seed(11)
    ganvas.train(*TINY, "budget.images=64", "score.every=null", extractor="none")
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected


QUIET = """
import sys, ganvas
run = ganvas.train(*sys.argv[1:])
ganvas.score(run, "settings.is_splits=2", "paths.cache=cache", n=50, metrics=["fd"])
ganvas.sample(run.id, n=4)
"""


@pytest.mark.slow
def test_nothing_is_printed_unless_asked(place, capsys):
    done = python(QUIET, *TINY, "budget.images=64", "paths.cache=cache")
    assert done.stdout == "" and done.stderr == ""
    ganvas.train(*TINY, "budget.images=64", "score.every=null", extractor="none", quiet=False)
    assert "64/64 images" in capsys.readouterr().out


# Scores, samples, reports


def test_scores_of_a_run(run, capsys):
    found = ganvas.score(run, *SCORES, metrics=["fd", "kid"], n=40)
    assert list(found.table.index) == [FD, "score/mnist/kid"]
    assert found[FD].value == pytest.approx(run.scores[FD].value)
    row = found.table.loc[FD]
    assert row.floor < row.value and row.ceiling > row.floor and row.sd > 0
    assert json.loads((found.output / "result.json").read_text())["fingerprints"][FD] == row.protocol
    assert capsys.readouterr().out == ""
    ganvas.score(run, *SCORES, metrics=["fd"], n=40, quiet=False)
    assert "fd" in capsys.readouterr().out


def test_scores_of_images_against_a_folder(run, place):
    drawn = ganvas.sample(run, n=50, seed=1000)
    assert drawn.array.shape == (50, 28, 28) and drawn.array.dtype == np.uint8
    assert np.array_equal(drawn.array, to_uint8(run.sample(50, seed=1000)).squeeze(1).numpy())
    assert Image.open(io.BytesIO(drawn._repr_png_())).size == drawn.picture.image.size
    Path("photos").mkdir()
    for i, image in enumerate(drawn.array):
        Image.fromarray(image).save(f"photos/{i}.png")
    same = ganvas.score(drawn.path, *SCORES, reference="photos", extractor="mnist", metrics=["fd"])
    assert same[FD].value == pytest.approx(0, abs=1e-3)
    data = {"path": "photos", "size": 28, "channels": 1, "val": 0.0, "test": 0.0}
    named = ganvas.score(
        drawn.path, *SCORES, reference="folder", data=data, extractor="mnist", metrics=["fd"], split="train"
    )
    assert named[FD].value == pytest.approx(0, abs=1e-3)


def test_a_report_ranks_the_runs_of_a_study(run, place):
    ganvas.train(*TINY, "paths.cache=cache", seed=3, study="program", batch_size=32, objective="hinge")
    report = ganvas.report("program", score=FD)
    assert report.score == FD and report.path.is_file() and report.conclusion
    assert len(report.ranking) == 2 and report.ranking["mean"].is_monotonic_increasing
    assert set(report.ranking["protocol"]) == {run.frame.loc[FD, "protocol"]}


# Bad input


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("train", ["model=nope"]),
        ("train", ["budget.imagess=3"]),
        ("train", ["budget.images=many"]),
        ("train", ["nonsense"]),
        ("train", ["seed=1,2"]),
        ("train", ["model=vae", "network=dcgan"]),
        ("train", ["data=folder"]),
        ("score", ["nowhere"]),
        ("score", ["nowhere.npz", "metrics=[nope]"]),
        ("sample", ["nowhere", "kind=nope"]),
        ("report", ["no_such_study"]),
    ],
)
def test_bad_input_raises_the_commands_own_message(place, run, command, arguments, capsys):
    with pytest.raises(Exception) as caught:
        getattr(ganvas, command)(*arguments)
    assert caught.value.exit_code == 2
    assert capsys.readouterr() == ("", "")
    assert main([command, *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f"ganvas: {str(caught.value).splitlines()[0]}" in said


def test_what_is_no_override_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="seed: got a Tensor; expected None, a bool"):
        ganvas.train(seed=torch.zeros(3))
    with pytest.raises(ConfigError, match="config_dir=nowhere is not a folder"):
        ganvas.train(config_dir="nowhere")
    (tmp_path / "model").mkdir()
    many = "".join(f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True))
    (tmp_path / "model" / "many.yaml").write_text(f"a: &a [1]\n{many}")
    with pytest.raises(ConfigError, match=r"many\.yaml: its aliases expand to 1,\d+,\d+ values"):
        ganvas.train(config_dir=tmp_path)
    with pytest.raises(CheckpointError, match="few.npz cannot be read as a checkpoint"):
        np.savez(tmp_path / "few.npz", images=np.zeros((3, 8, 8), np.uint8))
        ganvas.load(tmp_path / "few.npz")


# Composing


@pytest.mark.parametrize(
    "value",
    [3, -0.5, 1e-22, True, None, "word", "two words", "3", "true", "null", "it's", "a\\'b\\", "x=1,[2]", "", [1, "a b"],
     {"a": 1, "b": {"c": [None, "x y"]}}, ("a", 2), np.int64(4), np.float32(0.5), Path("a/b c")],
)  # fmt: skip
def test_a_value_comes_back_as_it_was(value):
    with calling("sample", [], {"+x": value}, None) as call:
        found = call.config.x
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    assert found == plain
    assert type(found) is type(plain) or isinstance(plain, (list, dict, np.generic))


def test_names_need_no_quotes():
    assert written("model", "wgan_gp") == "wgan_gp" and written("x", ["fid", "kid"]) == "[fid,kid]"


def test_configs_of_ones_own_are_found_in_a_folder(tmp_path):
    (tmp_path / "objective").mkdir()
    (tmp_path / "objective" / "mine.yaml").write_text("_target_: ganvas.objectives.Hinge\n")
    with calling("train", ["objective=mine"], {}, tmp_path) as call:
        assert call.config.objective._target_ == "ganvas.objectives.Hinge" and call.choices["objective"] == "mine"
    with pytest.raises(ConfigError, match="objective=mine is unknown"), calling("train", ["objective=mine"], {}, None):
        pass


def test_a_program_keeps_the_hydra_that_it_has_initialised(tmp_path):
    (tmp_path / "own.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), version_base="1.2"):
        before = GlobalHydra.instance().hydra
        with calling("train", ["model=vae"], {}, None) as call:
            assert call.config.model._target_ == "ganvas.models.VAE"
        with pytest.raises(ConfigError), calling("train", ["budget.imagess=3"], {}, None):
            pass
        assert GlobalHydra.instance().hydra is before
        assert compose("own").a == 1
    with calling("train", [], {}, None):
        pass
    assert not GlobalHydra.instance().is_initialized()
