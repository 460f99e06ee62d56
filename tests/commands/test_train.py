"""`ganvas train`, from the command line to MLflow, on small models."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf
from PIL import Image

from ganvas.cli import main
from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.scoring.settings import settings_from
from ganvas.scoring.streaming import StreamingScores
from ganvas.storage.checkpoints import read
from ganvas.tracking.store import tracking_uri
from ganvas.types import to_uint8

from ..tiny import NARROW, TINY


def train(*overrides, output="out"):
    code = main(["train", *TINY, f"paths.output={output}", *overrides])
    return code


def result(output="out"):
    with open(f"{output}/result.json") as file:
        return json.load(file)


def run_of(run_id):
    return MlflowClient(tracking_uri()).get_run(run_id)


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


@pytest.mark.slow
def test_the_same_line_gives_the_same_numbers():
    assert train("model=gan", output="a") == train("model=gan", output="b") == 0
    a, b = result("a"), result("b")
    assert a["scores"] == b["scores"] and a["fingerprints"] == b["fingerprints"]
    assert run_of(a["run_id"]).data.tags["ganvas.config_hash"] == run_of(b["run_id"]).data.tags["ganvas.config_hash"]
    assert train("model=gan", "seed=2", output="c") == 0
    assert result("c")["scores"] != a["scores"] and result("c")["fingerprints"] == a["fingerprints"]


@pytest.mark.slow
def test_a_resumed_run_equals_an_uninterrupted_one(capsys):
    line = ["model=wgan_gp", "score.every=128"]
    assert train(*line, "budget.images=1280", output="whole") == 0
    assert train(*line, output="half") == 0
    assert train(*line, "budget.images=1280", "resume=half", output="rest") == 0
    whole, rest = (torch.load(f"{name}/last.ckpt", weights_only=True)["state_dict"] for name in ("whole", "rest"))
    assert whole.keys() == rest.keys() and all(torch.equal(whole[key], rest[key]) for key in whole)
    for part in ("scores", "best", "selection", "gap"):
        a, b = (json.loads(json.dumps(result(name)[part]).replace(f"/{name}/", "/")) for name in ("rest", "whole"))
        assert a == b, part
    # The generator's terms are missing until its first turn after resuming; all else is judged over the whole run.
    a, b = (result(name)["findings"] for name in ("rest", "whole"))
    for check in ("critic_gradient_norms", "critic_gap", "critic_gradient", "class_coverage"):
        assert a[check] == b[check], check


@pytest.mark.slow
def test_warm_start_takes_the_whole_or_a_part():
    unscored = ["extractor=none", "score.every=null", "score.select=null"]
    assert train("model=gan", *unscored, output="first") == 0
    first = torch.load("first/last.ckpt", weights_only=True)["state_dict"]
    still = ["optimizer.lr=0", f"init_from={result('first')['run_id']}"]
    assert train("model=gan", "seed=9", *unscored, *still, output="whole") == 0
    whole = torch.load("whole/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(first[key], whole[key]) for key in first if not key.startswith("averages"))
    assert train("model=wgan_gp", "seed=9", *unscored, *still, "init_parts=[generator]", output="part") == 0
    part = torch.load("part/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(first[key], part[key]) for key in first if key.startswith("generator"))
    assert not all(torch.equal(first[key], part[key]) for key in first if key.startswith("critic"))


@pytest.mark.slow
def test_a_multirun_prints_one_table(capsys):
    assert main(["train", "-m", *TINY, "paths.output=sweep", "model=gan,vae", "score.every=null"]) == 0
    printed = capsys.readouterr().out
    table = printed[printed.index("2 runs of mnist5k mlp") :]
    assert printed.count("1/2 runs, ") == printed.count("\n2/2 runs\n") == 1
    assert {"│ gan ", "│ vae "} <= {line[:6] for line in table.splitlines()}
    assert table.count("protocols: ") == 1 and "fd ↓" in table
    assert "samples.png" in table and "ganvas ui" in table and "ganvas report " in table


def test_points_train_without_an_extractor():
    assert train(*NARROW, "model=pacgan", "data=ring") == 0
    assert result()["scores"] == {} and Image.open("out/samples.png")
    assert train(*NARROW, "model=vae", "data=ring", output="vae") == 0
    assert "score/likelihood/elbo" in result("vae")["scores"]


BAD = {
    "model=wgn_gp": "model=wgn_gp is unknown; did you mean wgan_gp?",
    "modle=gan": "modle is not a key of the config; did you mean model?",
    "budget.imags=3": "budget.imags is not a key of the config; did you mean budget.images?",
    "budget.images=many": "budget.images: Value 'many' of type 'str' could not be converted to Integer",
    "foo": "cannot read the override 'foo'",
    "data=folder": "no value for data.path; write data.path=VALUE",
    "objective=wasserstein": "GAN needs a divergence as its objective, got Wasserstein",
    "constraint=weight_clipping": "GAN and WeightClipping do not go together",
    "network=conv": "needs a network with generator and critic, but network=conv offers only encoder and decoder",
    "extractor=inception extractor.weights=nowhere.pth": "nowhere.pth",
    "score=none": "score=none: expected a value of one of its keys, as in score.every=VALUE; it has score.every, ",
    "batch_size=many": "batch_size: Value 'many' of type 'str' could not be converted to Integer",
    "data=ring extractor=mnist": "extractor=mnist reads images, the data are points of shape (2,)",
    "score.select=precision": "score.select=precision is no score that training with extractor=mnist has",
    "score.select=fid": "write one of fd, is, kid (fd is fd there), or null",
    "score.seed_during=1000": "write score.seed=1001",
    "data.val=0": "scores against the val split, which data=mnist5k lacks",
    "model=pacgan batch_size=63": "batch_size=63 is no multiple of pack=2",
    "data=npz data.path=nowhere.npz": "nowhere.npz",
    "+optimizer.momentum=3": "momentum",
    "init_from=nowhere": "'nowhere' is neither a checkpoint nor a run",
    "n_critic=0": "n_critic is not a key of the config; did you mean model.n_critic?",
    "model.n_critic=0": "n_critic=0 must be >= 1",
    "+schedule@schedules.optimizer.betas=ramp": "schedules.optimizer.betas: it starts at 0.0, expected as many numbers",
    "constraint=r1 schedules.constraint.weight=3": "schedules.constraint.weight: got 3, expected a schedule",
    "model=vae network=mlp data=ring marginal_bias=decoder": "marginal_bias=decoder: data=ring holds points",
    "schedule=linear schedule.images=0": "images: got 0, expected more than 0 images",
    "trainer.precision=7-bit": "7-bit",
}


# What other tests of the unit suite refuse by the same checks.
AGAIN = ("modle=gan", "foo", "constraint=weight_clipping", "data=npz data.path=nowhere.npz", "n_critic=0")


@pytest.mark.parametrize("overrides", [pytest.param(o, marks=pytest.mark.slow) if o in AGAIN else o for o in BAD])
def test_bad_input_is_one_message_and_exit_code_2(overrides, capsys):
    assert train(*overrides.split()) == 2
    said = capsys.readouterr().err
    assert BAD[overrides] in said and "Traceback" not in said
    assert len([line for line in said.splitlines() if line.startswith("ganvas: ")]) == 1


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv("GANVAS_DEBUG", "1")
    with pytest.raises(Exception, match="GAN and WeightClipping"):
        train("constraint=weight_clipping")


def test_an_unknown_command_is_bad_input(capsys):
    assert main(["trian"]) == 2
    assert "unknown command 'trian'" in capsys.readouterr().err
    assert main(["--help"]) == main([]) == main(["--version"]) == 0


def test_a_corrupt_image_is_named_and_skipped_only_if_asked(tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    for i in range(200):
        Image.new("L", (28, 28), color=i).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "photos" / "torn.png").write_bytes((tmp_path / "photos" / "3.png").read_bytes()[:40])
    folder = ["data=folder", f"data.path={tmp_path}/photos", "data.channels=1", "data.size=28", "extractor=mnist"]
    small = ["batch_size=32", "score.every=null"]
    assert train(*folder, *small) == 2
    assert "torn.png" in capsys.readouterr().err
    assert train(*NARROW, *folder, *small, "budget.images=64", "data.skip_corrupt=true") == 0


def test_a_loss_that_is_not_finite_fails_the_run_with_its_reason(capsys):
    assert train("optimizer.lr=1e30", "log.every=64") == 1
    said = capsys.readouterr().err
    assert "images" in said and ("nan" in said or "inf" in said) and "Traceback" not in said
    (run,) = MlflowClient(tracking_uri()).search_runs(
        [e.experiment_id for e in MlflowClient(tracking_uri()).search_experiments()], "attributes.status = 'FAILED'"
    )
    assert "NonFiniteError" in run.data.tags["ganvas.failure"]


def test_a_store_that_cannot_be_reached_is_said_at_once(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    start = time.monotonic()
    assert train() == 1
    assert time.monotonic() - start < 20
    assert "http://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.slow
def test_a_store_that_is_lost_in_training_is_filled_by_sync(monkeypatch, capsys):
    """The results are written, the exit code is not 0, and the last line says what to do."""
    from ganvas.run import training

    whole = training.watch

    def lose(*arguments):
        Path("mlflow.db").unlink()
        return whole(*arguments)

    monkeypatch.setattr("ganvas.tracking.courier._LAST_TRIES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(training, "watch", lose)
        assert train("model=vae", "score.every=null") == 1
    assert f"`ganvas sync {Path('out').absolute()}` delivers it" in capsys.readouterr().err.splitlines()[-1]
    found = result()
    assert found["images_seen"] == 640 and Path(found["checkpoint"]).exists()
    assert main(["sync", "out"]) == 0
    client = MlflowClient(tracking_uri())
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "FINISHED" and run.data.params["seed"] == "1"
    assert run.data.metrics["score/mnist/fd"] == found["scores"]["score/mnist/fd"]["value"]
    assert train("model=vae", "score.every=null", output="undisturbed") == 0
    other = run_of(result("undisturbed")["run_id"])
    assert other.data.metrics.keys() == run.data.metrics.keys()
    steps = {
        r: [m.step for m in client.get_metric_history(r, "train/elbo")] for r in (run.info.run_id, other.info.run_id)
    }
    assert len(set(map(tuple, steps.values()))) == 1
    assert len(client.list_artifacts(run.info.run_id, "images")) == len(
        client.list_artifacts(other.info.run_id, "images")
    )


def test_a_run_trains_without_a_store(store, capsys):
    (store / "mlflow.db").unlink()
    assert train(*NARROW, "model=vae", "score.every=null", "tracking.offline=true") == 0
    assert result()["run_id"].startswith("local-") and not (store / "mlflow.db").exists()
    assert main(["train", "-m", *TINY, "tracking.offline=true", "seed=1,2"]) == 2
    assert "a sweep keeps its order in a store" in capsys.readouterr().err


def test_a_full_disk_keeps_the_previous_checkpoint(monkeypatch, capsys):
    from pytorch_lightning import Trainer

    save, calls = Trainer.save_checkpoint, []

    def full(self, path, **kwargs):
        calls.append(path)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return save(self, path, **kwargs)

    monkeypatch.setattr(Trainer, "save_checkpoint", full)
    assert train(*NARROW, "checkpoint.every=128", "score.select=null", "score.every=null") == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said and "last.ckpt" in said and "Traceback" not in said
    assert torch.load("out/last.ckpt", weights_only=True)["images_seen"] == 128


def test_a_taken_port_is_said(capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["ui", "--port", str(taken.getsockname()[1])]) == 2
    assert "write --port N" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_killed_and_keeps_its_last_checkpoint(signal_, store):
    command = [sys.executable, "-m", "ganvas", "train", *TINY, "budget.images=50_000_000", "paths.output=out"]
    process = subprocess.Popen(
        [*command, "score.every=null", "log.every=640"], cwd=store, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    client = MlflowClient(tracking_uri())
    while not (_metrics(client) and (store / "out" / "last.ckpt").exists()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    process.send_signal(signal_)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal_ and b"Traceback" not in said and b"KILLED" in said
    (run,) = _runs(client)
    assert run.info.status == "KILLED"
    seen = torch.load(store / "out" / "last.ckpt", weights_only=True)["images_seen"]
    assert 0 < seen < 50_000_000


def _runs(client):
    return client.search_runs([e.experiment_id for e in client.search_experiments()])


def _metrics(client):
    return [run for run in _runs(client) if run.data.metrics]


@pytest.mark.slow
def test_two_processes_train_as_one(store):
    """Two ranks with half a batch each log one run; both hold the same weights (gloo, on the CPU)."""
    ddp = ["trainer.accelerator=cpu", "trainer.devices=2"]
    command = [sys.executable, "-m", "ganvas", "train", *TINY, *ddp, "paths.output=out"]
    done = subprocess.run(command, cwd=store, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    (run,) = _runs(MlflowClient(tracking_uri()))
    assert (
        run.info.status == "FINISHED" and json.loads((store / "out" / "result.json").read_text())["images_seen"] == 640
    )

    # What both scored together is what one process scores on the same weights, batch statistics included.
    streamed, data = streamed_by_one("out/last.ckpt", 40, 2000)
    for key, score in streamed.items():
        assert run.data.metrics[key.replace("score/", "val/")] == pytest.approx(score.value, rel=1e-5), key
    selected = json.loads((store / "out" / "result.json").read_text())["selection"]["scores"]["selection/mnist/fd"]
    assert selected == min(
        m.value for m in MlflowClient(tracking_uri()).get_metric_history(run.info.run_id, "val/mnist/fd")
    )


def streamed_by_one(checkpoint, n, seed):
    """What one process scores in training, on the weights of a checkpoint."""
    kept = read(Path(checkpoint))
    cfg = OmegaConf.create(kept["config"])
    model, data = build(cfg.model), DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, 0)
    model.load_state_dict(kept["state_dict"])
    streamed = StreamingScores(build(cfg.extractor), settings_from(cfg.score))
    for index in torch.arange(len(data.examples("val"))).split(250):
        streamed.update(data.examples("val").batch(index), real=True)
    streamed.update(to_uint8(model.sample(n, seed)), real=False)
    return streamed.compute(), data


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'hydra', 'mlflow'}"
    code = f"import sys, ganvas.cli; ganvas.cli.main(['--help']); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
