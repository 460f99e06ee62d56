"""Several processes train as one with the batches of all of them (gloo, on the CPU)."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch
from hydra import compose, initialize_config_module
from mlflow import MlflowClient

from ganvas.config import ConfigError
from ganvas.run.training import make_trainer
from ganvas.storage.checkpoints import read

from ..tiny import NARROW, TINY
from ..waiting import wait_for

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("one_of_several.py")
FAMILIES = {
    "gan": ["model=gan"],
    "simultaneous": ["model=gan", "model.simultaneous=true", "constraint=r1"],
    "wgan_gp": ["model=wgan_gp", "model.n_critic=2"],
    "vae": ["model=vae", "likelihood=gaussian", "transform=none"],
    "accumulated": ["model=gan", "model.accumulate=2"],
    "aae": ["model=aae", "transform=none"],
}
SMALL = ["network=mlp", "network.generator.hidden=[32]", "network.critic.hidden=[32]", "batch_size=32"]
SMALL += ["network.encoder.hidden=[32]", "network.decoder.hidden=[32]", "prior.dim=4"]
IMAGES = 32 * 60
TRAIN = [sys.executable, "-m", "ganvas", "train"]
TWO = [*TINY, "model=gan", "trainer.accelerator=cpu", "trainer.devices=2"]
TOLERANCE = 1e-5
"""Largest relative difference in 60 updates, twenty times what was seen: sums are rounded in another order."""


def _free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def _started(places, port, *line):
    """Start a process for each ``(node, local rank)``."""
    common = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    for node, local in places:
        place = {"NODE_RANK": str(node), "LOCAL_RANK": str(local)}
        yield subprocess.Popen(
            [sys.executable, *line], env=common | place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )


def _train(out, places, trainer, overrides):
    line = [str(SCRIPT), str(out), str(IMAGES), *SMALL, *trainer, *overrides]
    processes = list(_started(places, _free_port(), *line))
    for process in processes:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said.decode()[-3000:]
    return torch.load(out)


TWO_PLACES = {
    "processes": ([(0, 0), (0, 1)], ["trainer.devices=2"]),
    "nodes": ([(0, 0), (1, 0)], ["trainer.devices=1", "+trainer.num_nodes=2"]),
}


@pytest.mark.parametrize("places, name", [*(("processes", name) for name in FAMILIES), ("nodes", "wgan_gp")])
def test_two_processes_have_the_loss_curve_of_one(places, name, tmp_path):
    one = _train(tmp_path / "one.pt", [(0, 0)], ["trainer.devices=1"], FAMILIES[name])
    two = _train(tmp_path / "two.pt", *TWO_PLACES[places], FAMILIES[name])
    assert one["images_seen"] == two["images_seen"] == IMAGES and len(one["terms"]) == len(two["terms"]) == 60
    for alone, together in zip(one["terms"], two["terms"], strict=True):
        assert together == pytest.approx(alone, rel=TOLERANCE, abs=TOLERANCE)
    for key, value in one["state"].items():
        torch.testing.assert_close(two["state"][key], value, rtol=TOLERANCE, atol=TOLERANCE, msg=key)


def test_each_process_draws_for_itself_and_a_resumed_training_goes_on_bit_for_bit(tmp_path):
    """By the command, with the strategy that Lightning chooses by itself."""

    def train(output, *overrides):
        line = [*TRAIN, *TWO, "score.every=null", f"paths.output={output}", *overrides]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=240)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        return read(tmp_path / output / "last.ckpt")

    whole, half = train("whole"), train("half", "budget.images=320")
    rest = train("rest", "resume=half/last.ckpt", "budget.images=640")
    first, second = (state["cpu"] for state in half["random_states"])
    assert not first.equal(second)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == "cache half mlruns rest whole".split()
    for at_once, with_a_stop in zip(whole["random_states"], rest["random_states"], strict=True):
        assert at_once["cpu"].equal(with_a_stop["cpu"])
    for key, value in whole["state_dict"].items():
        assert value.equal(rest["state_dict"][key]), key


PROGRAM = """
import sys, ganvas
print("program")
for seed in (1, 2):
    ganvas.train(*sys.argv[1:], f"paths.output=by_program/{seed}", seed=seed)
"""


def test_a_sweep_and_a_program_train_several_runs_in_several_processes(tmp_path):
    """Lightning would begin the sweep and the program again in each further process."""
    line = [*TWO, *NARROW, "extractor=none", "score.every=null"]
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "program.py").write_text(PROGRAM)
    (tmp_path / "programs" / "own.py").write_text("from ganvas.latents import Normal")
    sweep = [*TRAIN, "-m", *line, "seed=1,2", "study=swept", "paths.output=by_sweep"]
    for command in (sweep, [sys.executable, "programs/program.py", *line, "prior._target_=own.Normal"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("program") == 1
    swept = sorted((tmp_path / "by_sweep").rglob("last.ckpt"))
    assert len(swept) == 2
    for seed, path in enumerate(swept, 1):
        ours, theirs = read(path), read(tmp_path / "by_program" / str(seed) / "last.ckpt")
        assert len(ours["random_states"]) == 2
        for key, value in ours["state_dict"].items():
            assert value.equal(theirs["state_dict"][key]), (seed, key)
    store = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in store.search_experiments()]
    tags = [run.data.tags for run in store.search_runs(experiments)]
    assert sorted(found["ganvas.study"] for found in tags if "ganvas.seed" in found) == ["", "", "swept", "swept"]


@contextmanager
def _training(folder):
    """A training of two processes that would go on for hours, after its first steps."""
    line = [*TRAIN, *TWO, *NARROW, "score.every=null", "extractor=none", "log.every=64", "grid.every=1000000"]
    line += ["checkpoint.every=1000000000", "paths.output=out", "budget.images=1000000000"]
    as_in_a_terminal = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a background job ignores SIGINT
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    options = {"stderr": subprocess.PIPE, "text": True, "env": environment, "preexec_fn": as_in_a_terminal}
    first = subprocess.Popen(line, cwd=folder, **options)
    try:
        wait_for(lambda: any("train/" in p.read_text() for p in folder.glob("out/journal/*/entries.jsonl")), 60)
        (second,) = psutil.Process(first.pid).children()
        yield first, second
    finally:
        first.kill()


BOTH = ("first", "second")


@pytest.mark.parametrize(
    "signum, told",
    [(signal.SIGTERM, BOTH[:1]), (signal.SIGTERM, BOTH[1:]), (signal.SIGTERM, BOTH), (signal.SIGINT, BOTH)],
)
def test_a_signal_to_any_process_stops_all_after_the_same_step(signum, told, tmp_path):
    with _training(tmp_path) as (first, second):
        for process in told:
            {"first": first, "second": second}[process].send_signal(signum)
        said = first.communicate(timeout=60)[1]
    assert first.returncode == 128 + signum and "resume=out/last.ckpt" in said and "Traceback" not in said
    wait_for(lambda: not psutil.pid_exists(second.pid) or second.status() == psutil.STATUS_ZOMBIE, 60)
    (journal,) = tmp_path.glob("out/journal/*/entries.jsonl")
    assert '"status": "KILLED"' in journal.read_text().splitlines()[-1]
    saved = read(tmp_path / "out" / "last.ckpt")
    assert len(saved["random_states"]) == 2 and saved["images_seen"] % 64 == 0


def test_a_process_that_is_killed_is_named_and_the_run_fails_with_it(tmp_path):
    with _training(tmp_path) as (first, second):
        second.kill()
        said = first.communicate(timeout=60)[1]
    assert first.returncode == 1
    assert said.splitlines()[-1].startswith(
        "ganvas: ProcessKilledError: process 1 of the training was killed by SIGKILL"
    )
    (journal,) = tmp_path.glob("out/journal/*/entries.jsonl")
    assert '"status": "FAILED"' in journal.read_text().splitlines()[-1]


def test_a_pruned_run_ends_all_its_processes_with_one_message(tmp_path):
    line = [*TRAIN, "-m", *TWO, *NARROW, "seed=1,2", "score.every=320", "score.n_during=100"]
    done = subprocess.run(
        [*line, "hydra.sweeper.prune_on=[class_coverage]"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert "failed, the first with: Pruned: class_coverage" in done.stderr and "process 1" not in done.stderr


def test_a_nan_in_one_process_stops_all_with_one_message_each(tmp_path):
    line = [*TRAIN, *TWO, "optimizer.lr=1e20", "score.every=null", "paths.output=out"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.count("is nan after") == 2 and "process 1: NonFiniteError" in done.stderr


@pytest.mark.parametrize(
    "overrides, said",
    [
        (["batch_size=63"], "batch_size=63: the batch is shared out to 2 processes.*write batch_size=62"),
        (["+trainer.sync_batchnorm=true"], "trainer.sync_batchnorm=true: PyTorch synchronises .* on GPUs only"),
    ],
)
def test_what_would_end_each_process_is_refused_before_they_start(overrides, said, tmp_path):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", ["trainer.accelerator=cpu", "trainer.devices=2", *overrides])
    with pytest.raises(ConfigError, match=said):
        make_trainer(cfg, tmp_path)
