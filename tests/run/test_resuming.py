"""A resumed training has the recipe, the data and the run of its checkpoint; anything else is refused by name."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf

from ganvas.cli import main
from ganvas.run.callbacks.budget import Budget
from ganvas.run.request import Job
from ganvas.run.resuming import Resumed, result_of_ended
from ganvas.storage.checkpoints import read, write
from ganvas.tracking.signals import Terminated
from ganvas.tracking.store import tracking_uri

from ..tiny import NARROW, TINY, project

FAST = [*TINY, *NARROW, "extractor=none", "score.every=null", "score.select=null"]


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def train(*overrides, output="out"):
    return main(["train", f"paths.output={output}", *overrides])


def weights(output):
    return read(Path(output) / "last.ckpt")["state_dict"]


def same(one, other):
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def recorded(output):
    return OmegaConf.create(read(Path(output) / "last.ckpt")["config"])


def runs():
    client = MlflowClient(tracking_uri())
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def run_of(output):
    return MlflowClient(tracking_uri()).get_run(json.loads(Path(output, "result.json").read_text())["run_id"])


def damaged(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def killed(monkeypatch):
    """Trains until somebody stops it."""

    def begin(*overrides, at, output="out"):
        def stop(self, trainer, model, *_):
            if model.images_seen >= at:
                raise Terminated(15)

        with monkeypatch.context() as patch:
            patch.setattr(Budget, "on_train_batch_end", stop)
            assert train(*FAST, *overrides, output=output) == 143
        return runs()[0]

    return begin


RECIPES = {
    "gan": ["model=gan", "objective=least_squares", "seed=5", "optimizer.lr=1e-3"],
    "vae": ["model=vae", "batch_size=32", "seed=0", "+schedule@schedules.objective.beta=warm_up"],
}


@pytest.mark.parametrize("model", RECIPES)
def test_the_checkpoint_is_enough_to_go_on_bit_for_bit(model):
    line = [*FAST, *RECIPES[model]]
    line += ["schedules.objective.beta.images=320"] if model == "vae" else []
    assert train(*line, output="whole") == train(*line, "budget.images=320", output="half") == 0
    assert train("resume=half/last.ckpt", "budget.images=640", output="rest") == 0
    assert same("whole", "rest")
    old, new = recorded("half"), recorded("rest")
    changed = {"budget", "paths", "resume", "log", "grid", "checkpoint"}
    assert all(old[key] == new[key] for key in old if key not in changed)
    a, b = run_of("half"), run_of("rest")
    assert a.info.status == b.info.status == "FINISHED" and b.data.tags["ganvas.resumed_from"] == a.info.run_id
    whole, rest = (json.loads(Path(folder, "result.json").read_text())["name"] for folder in ("whole", "rest"))
    assert whole.replace(" budget.images=640", "") == rest.replace(" budget.images=640", "")
    assert b.data.tags["ganvas.config_hash"] == run_of("whole").data.tags["ganvas.config_hash"]


@pytest.fixture(scope="module")
def half(tmp_path_factory, template):
    """A WGAN-GP of 320 images, in a folder with its store."""
    folder = tmp_path_factory.mktemp("half")
    with project(folder, template):
        own = ["model=wgan_gp", "optimizer.lr=1e-3", "budget.images=300", "schedule=linear"]
        assert train(*FAST, *own, output="half") == 0
    return folder


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("optimizer.lr=1e-9", "optimizer.lr: 0.001 in the checkpoint, 1e-09 given"),
        pytest.param(
            "optimizer.lr=2e-4", "optimizer.lr: 0.001 in the checkpoint, 0.0002 given", marks=pytest.mark.slow
        ),
        ("model=gan", "model: wgan_gp in the checkpoint, gan given"),
        ("model=vae data=ring", "data: mnist5k in the checkpoint, ring given"),
        ("experiment=demo_gan", "experiment: None in the checkpoint, demo_gan given"),
        ("optimizer=rmsprop", "optimizer: adam_wgan_gp in the checkpoint, rmsprop given"),
        ("seed=5", "seed: 1 in the checkpoint, 5 given"),
        pytest.param("batch_size=32", "batch_size: 64 in the checkpoint, 32 given", marks=pytest.mark.slow),
        pytest.param("data.val=100", "data.val: 500 in the checkpoint, 100 given", marks=pytest.mark.slow),
        ("init_from=half/last.ckpt", "init_from: None in the checkpoint, half/last.ckpt given"),
        ("trainer.precision=bf16-mixed", "trainer.precision: 32-true in the checkpoint, bf16-mixed given"),
        pytest.param("trainer.devices=2", "trainer.devices: 1 in the checkpoint, 2 given", marks=pytest.mark.slow),
        ("+trainer.max_time=00:00:01:00", "trainer.max_time: None in the checkpoint"),
        ("score.settings.kid_degree=2", "score.settings.kid_degree: None in the checkpoint, 2 given"),
        ("budget.images=200", "budget.images=200: the checkpoint"),
        ("budget.images=900", "300 in the checkpoint, 900 given, and schedule.images follows it"),
    ],
)
def test_what_differs_from_the_checkpoint_is_refused_before_a_run_starts(half, monkeypatch, capsys, given, said):
    monkeypatch.chdir(half)
    before = len(runs())
    assert train("resume=half", *given.split(), output="no") == 2
    message = capsys.readouterr().err
    assert said in message and f"init_from={half}/half/last.ckpt" in message and "Traceback" not in message
    assert len(runs()) == before


def test_weights_of_another_shape_are_refused_before_a_run_starts(half, monkeypatch, capsys):
    monkeypatch.chdir(half)
    checkpoint = read(Path("half/last.ckpt"))
    narrow = {name: weights[..., :1] for name, weights in checkpoint["state_dict"].items()}
    write(Path("narrow.ckpt"), checkpoint | {"state_dict": narrow})
    before = len(runs())
    assert train("resume=narrow.ckpt", output="no") == 2
    said = capsys.readouterr().err
    assert "narrow.ckpt: its weights are not those of the model in its config" in said and said.count("\n") == 1
    assert len(runs()) == before


def test_what_moves_no_number_may_be_given_and_so_may_what_the_checkpoint_has(half, monkeypatch):
    monkeypatch.chdir(half)
    free = ["log.every=64", "grid.every=128", "checkpoint.every=64", "workers=1", "trainer.accelerator=cpu", "study=s"]
    again = [*FAST, "model=wgan_gp", "optimizer.lr=0.001", "schedule=linear", "budget.images=300"]
    assert train("resume=half/last.ckpt", *free, *again, output="more") == 0
    found = recorded("more")
    assert (found.log.every, found.workers, found.study, found.model._target_) == (
        64,
        1,
        "s",
        recorded("half").model._target_,
    )
    assert run_of("more").data.tags["ganvas.study"] == "s"


def test_a_training_by_cuda_graphs_goes_on_without_them_where_there_is_no_gpu(half, monkeypatch, capsys):
    monkeypatch.chdir(half)
    checkpoint = read(Path("half/last.ckpt"))
    config = checkpoint["config"].replace("cuda_graphs: false", "cuda_graphs: true")
    assert config != checkpoint["config"]
    write(Path("graphs.ckpt"), checkpoint | {"config": config})
    line = ["resume=graphs.ckpt", "budget.images=300", "trainer.accelerator=cpu"]
    assert train(*line, output="no") == 2
    assert "cuda_graphs=true: graphs are launched on NVIDIA's GPUs" in capsys.readouterr().err
    assert train(*line, "cuda_graphs=false", output="on") == 0
    assert not recorded("on").cuda_graphs


@pytest.mark.slow
def test_intervals_follow_a_new_budget_unless_they_were_given():
    assert train(*FAST, "checkpoint.every=64", "grid.every=${share:0.5}") == 0
    assert train("resume=out", "budget.images=1280", "log.every=640", output="more") == 0
    found = recorded("more")
    assert (found.checkpoint.every, found.grid.every, found.log.every) == (64, 640, 640)
    assert train("resume=more", "budget.images=1344", output="third") == 0
    assert (recorded("third").grid.every, recorded("third").log.every) == (672, 640)


def images(changed=False, shuffled=False):
    drawn = np.random.default_rng(0).integers(0, 255, (40, 28, 28), dtype=np.uint8)
    drawn[3, 4, 5] ^= np.uint8(changed)
    return drawn[::-1] if shuffled else drawn


def test_other_data_are_refused_and_moved_data_are_not(capsys):
    line = [*FAST, "data=npz", "data.path=few.npz", "extractor=none", "batch_size=8", "budget.images=40"]
    np.savez("few.npz", images=images())
    assert train(*line, output="half") == 0
    before = len(runs())
    for other in ({"changed": True}, {"shuffled": True}):
        np.savez("few.npz", images=images(**other))
        assert train("resume=half", "budget.images=80", output="rest") == 2
        said = capsys.readouterr().err
        assert "the data are not those of the checkpoint (train: " in said and "init_from=" in said
    assert len(runs()) == before
    np.savez("moved.npz", images=images())
    assert train("resume=half", "budget.images=80", "data=npz", "data.path=moved.npz", output="rest") == 0
    Path("few.npz").unlink(), Path("moved.npz").unlink()
    assert main(["sample", "half/last.ckpt", "-n", "4", "--out", "drawn"]) == 0
    assert np.load("drawn/samples.npz")["images"].shape == (4, 28, 28)
    assert main(["score", "half", "n=4", "extractor=mnist", "paths.output=scored"]) == 2
    assert "few.npz" in capsys.readouterr().err


def test_auto_starts_and_then_goes_on_in_the_run_that_was_stopped(killed):
    line = ["model=vae", "resume=auto"]
    stopped = killed(*line, at=320)
    assert stopped.info.status == "KILLED" and len(runs()) == 1
    assert train(*FAST, *line) == train(*FAST, "model=vae", output="whole") == 0
    assert same("out", "whole") and recorded("out").resume == str(Path("out/last.ckpt").absolute())
    (first, second) = sorted(runs(), key=lambda run: run.info.start_time)
    assert first.info.run_id == stopped.info.run_id == run_of("out").info.run_id
    assert first.info.status == second.info.status == "FINISHED" and "ganvas.resumed_from" not in first.data.tags


@pytest.mark.slow
def test_auto_begins_nothing_where_the_training_has_ended(capsys):
    line = [*FAST, "model=vae", "resume=auto"]
    assert train(*line) == 0
    before = {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir() if path.is_file()}
    table = capsys.readouterr().out
    assert train(*line) == 0
    assert capsys.readouterr().out in table and len(runs()) == 1  # the same table, without the course of a training
    assert {path.name: path.stat().st_mtime_ns for path in Path("out").iterdir() if path.is_file()} == before
    assert train(*line, "budget.images=704") == 0 and len(runs()) == 2
    assert read(Path("out/last.ckpt"))["images_seen"] == 704


@pytest.mark.parametrize("content", ['{"scores": {}}', "[1]", "{"])
def test_auto_takes_no_other_file_for_the_result_of_the_training(content, tmp_path):
    job, resumed = Job(tmp_path, {}, []), Resumed("", tmp_path / "last.ckpt", 640, "a", {}, {})
    cfg = OmegaConf.create({"tracking": {"run_id": None}, "budget": {"images": 640}})
    (tmp_path / "result.json").write_text(content)
    assert result_of_ended(cfg, job, resumed) is None
    (tmp_path / "result.json").write_text('{"run_id": "a", "images_seen": 640}')
    assert result_of_ended(cfg, job, resumed) == {"run_id": "a", "images_seen": 640}


@pytest.mark.slow
def test_the_id_of_a_stopped_run_names_its_checkpoint(killed, capsys):
    stopped = killed("model=gan", at=320).info.run_id
    assert main(["sample", stopped, "-n", "4", "--out", "drawn"]) == 0
    assert train(f"resume={stopped}", output="rest") == train(*FAST, output="whole") == 0
    assert same("rest", "whole") and run_of("rest").info.run_id == stopped
    shutil.rmtree("out")
    shutil.rmtree("rest")
    assert train(f"resume={stopped}", "budget.images=704", output="longer") == 0  # the artifact of the finished run
    assert read(Path("longer/last.ckpt"))["images_seen"] == 704
    assert run_of("longer").data.tags["ganvas.resumed_from"] == stopped
    assert train("resume=" + "0" * 32, output="none") == 2
    assert "neither a checkpoint nor a run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_with_a_damaged_checkpoint_goes_on_from_the_one_before(killed, caplog, capsys):
    killed("model=gan", "checkpoint.every=64", at=320)
    damaged(Path("out/last.ckpt"))
    assert train("resume=out/last.ckpt", output="no") == 2 and "out/last.ckpt is damaged" in capsys.readouterr().err
    for command in (["sample", "out", "-n", "4"], ["train", "init_from=out/last.ckpt"]):
        assert main([*command, "paths.output=no"]) == 2 and "out/last.ckpt is damaged" in capsys.readouterr().err
    assert train("resume=out", output="rest") == train(*FAST, output="whole") == 0
    assert "out/last.ckpt is damaged" in caplog.text and "out/last-1.ckpt" in caplog.text
    assert same("rest", "whole")


def test_a_best_checkpoint_that_the_disk_damaged_is_not_reported(monkeypatch, caplog):
    from ganvas.run import training

    assess = training.assess

    def after_damage(*arguments):
        damaged(Path("out/best.ckpt"))
        return assess(*arguments)

    monkeypatch.setattr(training, "assess", after_damage)
    assert train(*TINY) == 0
    found = json.loads(Path("out/result.json").read_text())
    assert found["best"] is None and re.search(r"best\.ckpt is damaged", found["selection"]["none"])
    assert "best.ckpt is damaged" in caplog.text and found["scores"]
