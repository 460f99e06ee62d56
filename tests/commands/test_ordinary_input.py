"""Ordinary input: paths of any spelling, bad values, a busy folder, output that goes away, signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from filelock import FileLock
from mlflow.tracking import MlflowClient
from PIL import Image

from ganvas.cli import main
from ganvas.storage.atomic import LOCK
from ganvas.tracking.store import tracking_uri

from ..tiny import TINY

FAST = ["extractor=none", "score.every=null", "tracking.system_metrics=false", "grid.rows=1", "grid.columns=2"]
PICTURES = ["data=folder", "data.size=16", "data.channels=1", "batch_size=8", "budget.images=80", *FAST]


@pytest.fixture(autouse=True)
def in_a_store(store):
    return store


def photos(folder, n=40):
    folder.mkdir(parents=True)
    for i in range(n):
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def start(*arguments, command="train", **options):
    """The command in a process of its own, with the handlers that a terminal would leave."""
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from ganvas.cli import main; sys.exit(main(sys.argv[1:]))"
    line = [sys.executable, "-c", code, command, *arguments]
    return subprocess.Popen(line, **{"stdout": -1, "stderr": -1, "text": True, **options})


def test_rectangular_photographs(capsys):
    photos(Path("photos"))
    line = ["train", *PICTURES, "data.path=photos", "data.size=[16,8]", "paths.output=out"]
    small = ["network=dcgan", "network.generator.channels=[8,4]", "network.critic.channels=[4,8]"]
    assert main([*line, *small]) == 0 and main(["sample", "out/last.ckpt", "-n", "4", "--out", "drawn"]) == 0
    assert np.load("drawn/samples.npz")["images"].shape[1:3] == (16, 8)
    assert main([*line, "network=resnet"]) == 2
    assert "(1, 16, 8); it serves square images" in capsys.readouterr().err


NAMES = ["a=b", "Größe", "a[1]", "it's", "{x}", "(y)", "a,b", "a b", "7", "x#1", "true"]


@pytest.mark.parametrize("name", [*NAMES[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[2:])])
def test_a_path_of_any_spelling_is_taken_as_it_is(name, store):
    photos(Path(name))
    assert main(["train", *PICTURES, f"data.path={name}", f"paths.output=out/{name}"]) == 0
    assert (store / "out" / name / "last.ckpt").is_file()
    assert main(["sample", f"out/{name}", "-n", "4", f"paths.output=drawn/{name}"]) == 0
    score = [f"reference={name}", "extractor=mnist", "metrics=[mean_error]", "paths.cache=cache", "calibration=false"]
    assert main(["score", name, *score, f"paths.output=scored/{name}"]) in (0, 2)  # 16x16: the reference is read
    assert (store / "drawn" / name / "samples.npz").is_file()


@pytest.mark.slow
def test_a_list_of_paths_is_still_swept(store):
    photos(store / "p")
    photos(store / "q")
    assert main(["train", "-m", *PICTURES, "data.path=p,q", "study=two"]) == 0
    found = json.loads((store / "outputs" / "two" / "result.json").read_text())
    assert found["finished"] == 2


@pytest.fixture(scope="module")
def idle(template, tmp_path_factory):
    """A folder with a store, for tests that begin no run in it."""
    folder = tmp_path_factory.mktemp("idle")
    shutil.copy(template, folder / "mlflow.db")
    return folder


REFUSED = {
    "seed=-1": "seed=-1: expected a whole number from 0 to",
    "+trainer.gradient_clip_val=0.5": "write gradient_clip=... instead",
    "study=..": "study='..': expected 1 to 100 letters",
    "study='a b'": "study='a b': expected",
    "model=1.5": "ganvas: model=1.5: expected the name of a config",
    "model=[gan]": "model: expected the name of one config",
    "trainer=3": "trainer=3: expected arguments of Lightning's Trainer",
    f"tracking.experiment={'n' * 257}": "tracking.experiment has 257 characters",
    "hydra.run.dir=/proc/x": "/proc/x: No such file or directory; name a path",
    "budget.images=0": "budget.images=0: expected at least 1",
    "gradient_clip=-1.0": "gradient_clip=-1.0: expected a norm above 0",
    "batch_size=100000": "batch_size=100000: data=mnist5k has 3500 training images",
    "optimizer.betas=[0.9]": "optimizer.betas=[0.9]: expected a list of 2 values",
    "network.critic._target_=my.Nett": "my.Nett",
    "score.n=12 score.settings.is_splits=10": "score.n=12, against",
    "@likelihood._target_=3": "cannot read the override '@likelihood._target_=3'",
    "+trainer.callbacks=[1]": "trainer.callbacks: expected callbacks of Lightning, got 1",
    "resume=''": "resume is empty",
    "model.critic_optimizer.lr=${oc.env:NO_SUCH}": "model.critic_optimizer.lr=${oc.env:NO_SUCH}: KeyError",
    "~model._target_": "model._target_ is missing",
    "constraint._target_=builtins.dict": "constraint._target_=builtins.dict: expected a class derived from",
    "prior.dim=abc": "prior.dim=abc: expected a whole number",
    "data.shape=abc": "data.shape=abc: expected a list of whole numbers",
}
# Other keys and values that the same checks refuse; they run in the slow suite.
ALSO_REFUSED = {
    "seed=4294967296": "seed=4294967296: expected a whole number",
    "score.seed=-1": "score.seed=-1: expected a whole number",
    "+trainer.accumulate_grad_batches=2": "write batch_size=... instead",
    "study=a/b": "study='a/b': expected",
    'study="it\'s"': 'study="it\'s": expected',
    "study=''": "study='': expected",
    "study='a\\${b}'": "study='a${b}': expected",
    "tracking.experiment=''": "tracking.experiment has 0 characters",
    "model=null": "ganvas: model=null: expected the name of a config",
    "log.every=0": "log.every=0: expected at least 1",
    "checkpoint.every=-1": "checkpoint.every=-1: expected at least 1",
    "grid.columns=0": "grid.columns=0: expected at least 1",
    "score.every=0": "score.every=0: expected at least 1",
    "score.n_during=1": "score.n_during=1, against",
    "init_from=''": "init_from is empty",
    "=init_from": "cannot read the override '=init_from'",
    "optimizer.eps=${oc.env:NO_SUCH_VARIABLE}": "optimizer.eps=${oc.env:NO_SUCH_VARIABLE}",
    "constraint._target_=os.getcwd": "constraint._target_=os.getcwd: expected a class derived from Constraint, or",
    "score.n=0": "score.n=0: expected at least 1",
}


def refusal(arguments, capfd):
    """The one line that a command is refused with."""
    assert main(["train", *arguments]) == 2
    said = capfd.readouterr().err
    assert [part for part in said.splitlines() if part.strip()] == [said.strip()]  # one line, nothing before it
    return said


@pytest.mark.parametrize("overrides", [*REFUSED, *(pytest.param(o, marks=pytest.mark.slow) for o in ALSO_REFUSED)])
def test_bad_input_is_refused_before_a_run_begins(overrides, idle, monkeypatch, capfd):
    monkeypatch.chdir(idle)
    line = [overrides] if "study" in overrides else overrides.split()
    assert (REFUSED | ALSO_REFUSED)[overrides] in refusal([*TINY, *line], capfd)
    assert not (idle / "outputs").exists()
    client = MlflowClient(tracking_uri())
    assert not client.search_runs([e.experiment_id for e in client.search_experiments()])


@pytest.mark.slow
def test_a_part_that_is_no_network_is_named():
    process = start(*TINY, "network.generator=3")  # alone: in here the types of arguments are checked before
    _, said = process.communicate(timeout=100)
    wanted = "network.generator=3: expected a node with a _target_ that makes a Generator"
    assert process.returncode == 2 and wanted in said


@pytest.mark.parametrize("study", ["..", "a/b", "''", "'a b'"])
def test_a_sweep_is_refused_by_its_name_too(study, store, capfd):
    assert main(["train", "-m", *TINY, "seed=1,2", f"study={study}"]) == 2
    assert "expected 1 to 100 letters" in capfd.readouterr().err
    assert sorted(p.name for p in store.iterdir() if p.suffix != ".lock") == ["mlflow.db"]


def test_a_refusal_of_every_command_is_one_line(capfd):
    odd = (["report", "a${b}"], ["score", "abc", "device=foo"], ["reproduce", "iwae_table1", "seed=-1"])
    for line in (*odd, ["score", "abc"], ["sample", "abc"], ["rerun", "abc"], ["report", "abc"], ["reproduce", "abc"]):
        assert main(line) == 2, line
        said = capfd.readouterr().err
        assert said.startswith("ganvas: ") and said.count("\n") == 1, said


@pytest.mark.parametrize("command", ["score", "sample"])
def test_a_source_that_does_not_exist_leaves_nothing(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").unlink()
    assert main([command, "abc"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_aborted_start_leaves_a_chosen_folder_and_one_with_files(store):
    (store / "mine").mkdir()
    assert main(["train", *TINY, "seed=-1", "paths.output=mine"]) == 2
    assert (store / "mine").is_dir()
    (store / "outputs").mkdir()
    (store / "outputs" / "notes.txt").write_text("kept")
    assert main(["train", *TINY, "seed=-1"]) == 2
    assert [p.name for p in (store / "outputs").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_a_class_in_the_working_folder_is_found(store):
    text = "from ganvas.networks.mlp import Generator\nclass Mine(Generator):\n    pass\n"
    (store / "my_parts.py").write_text(text)
    code = f"""
import sys
from ganvas.cli import main
sys.exit(main(["train", *{[*TINY, *FAST]!r}, "network.generator._target_=my_parts.Mine", "paths.output=out"]))"""
    path = os.pathsep.join(p for p in sys.path if p and p != str(store))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code] if sys.version_info >= (3, 11) else [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_two_trainings_do_not_share_a_folder(store, capfd):
    (store / "out").mkdir()
    with FileLock(store / "out" / LOCK):
        assert main(["train", *TINY, *FAST, "paths.output=out"]) == 2
        said = capfd.readouterr().err
        assert "paths.output=" in said and "another training writes to this folder" in said
        assert not (store / "out" / "last.ckpt").exists()
    assert main(["train", *TINY, *FAST, "budget.images=64", "paths.output=out"]) == 0  # the one before has ended


def test_a_bad_image_in_a_worker_is_one_message(store, capfd):
    photos(store / "p")
    (store / "p" / "torn.png").write_bytes(b"nonsense")
    big = ["data.memory_limit_gb=0.0", "workers=2", "data.val=0.0", "data.test=0.0", "data.path=p"]
    assert main(["train", *PICTURES, *big, "paths.output=out"]) == 2
    said = capfd.readouterr().err
    assert "torn.png: not a readable image" in said and "Traceback" not in said and "Caught" not in said


def test_a_training_whose_scores_fail_is_kept(monkeypatch, capfd):
    def fails(*_):
        raise RuntimeError("no scores today")

    monkeypatch.setattr("ganvas.run.training.assess", fails)
    assert main(["train", *TINY, "score.every=null", "paths.output=out"]) == 1
    client = MlflowClient(tracking_uri())
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    said = capfd.readouterr().err
    assert "no scores today" in said and f"`ganvas score {run.info.run_id}`" in said
    assert run.info.status == "FAILED" and "ScoringError" in run.data.tags["ganvas.failure"]
    assert torch.load("out/last.ckpt", weights_only=True)["images_seen"] == 640
    monkeypatch.undo()
    monkeypatch.chdir(run.data.tags["ganvas.output"] + "/..")
    assert [f.path for f in client.list_artifacts(run.info.run_id, "checkpoints")] == ["checkpoints/last.ckpt"]


LONG = [*TINY, *FAST, "budget.images=1_000_000_000", "checkpoint.every=640", "log.every=640", "paths.output=out"]


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["head", "closed", "full"])
def test_output_that_goes_away_does_not_end_the_training(sink, store):
    line = [*TINY, *FAST, "budget.images=64_000", "paths.output=out"]
    if sink == "head":
        process = start(*line)
        process.stdout.close()
    elif sink == "full":
        process = start(*line, stdout=open("/dev/full", "w"))
    else:
        process = start(*line, stdout=None, preexec_fn=lambda: os.close(1))
    said = process.stderr.read()
    assert process.wait(120) == 0, said
    assert json.loads((store / "out" / "result.json").read_text())["images_seen"] == 64_000
    assert said.count("standard output cannot be written") == (sink != "closed") and "Traceback" not in said


SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU]


@pytest.mark.slow
@pytest.mark.parametrize("first", SIGNALS)
def test_two_signals_within_milliseconds_save_the_last_state(first, store):
    process = start(*LONG)
    deadline = time.monotonic() + 100
    while not (store / "out" / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    before = torch.load(store / "out" / "last.ckpt", weights_only=True)["images_seen"]
    time.sleep(1)
    for signum in (first, signal.SIGTERM, signal.SIGINT, first):
        process.send_signal(signum)
        time.sleep(0.005)
    _, said = process.communicate(timeout=60)
    # Python handles signals that come during one long operation in the order of their numbers.
    assert process.returncode in {128 + first, 128 + signal.SIGTERM, 128 + signal.SIGINT}, said
    assert "Traceback" not in said, said
    assert torch.load(store / "out" / "last.ckpt", weights_only=True)["images_seen"] > before
    client = MlflowClient(tracking_uri())
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    assert run.info.status == "KILLED" and run.data.tags["ganvas.outcome"] == "interrupted"


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_host_is_refused(host, capsys):
    assert main(["ui", "--host", host]) == 2
    assert "--host is empty" in capsys.readouterr().err
    assert main(["ui", "--port", "70000"]) == 2
    assert "--port 70000: expected a number" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_ui_ends_with_all_its_processes(signum):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start("--port", str(port), command="ui", stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.3)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 1
    process.send_signal(signum)
    assert process.wait(30) == 128 + signum
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_a_cache_that_cannot_be_used_is_skipped_with_a_warning(store):
    (store / "cache").write_text("a file, not a folder")
    with pytest.warns(UserWarning, match="paths.cache=DIR"):
        assert main(["train", *TINY, "budget.images=64", "score.every=null", "paths.output=out"]) == 0
    shutil.rmtree(store / "out")


@pytest.mark.slow
def test_relative_paths_of_a_checkpoint_are_found_from_another_folder(store, monkeypatch):
    (store / "a").mkdir()
    shutil.move(store / "mlflow.db", store / "a")
    monkeypatch.chdir(store / "a")
    np.savez("g.npz", images=np.random.default_rng(0).integers(0, 255, (200, 16, 16), dtype=np.uint8))
    line = ["data=npz", "data.path=g.npz", "model=vae", "network=mlp", "batch_size=8", "budget.images=80", *FAST]
    assert main(["train", *line, "paths.output=o"]) == 0
    (store / "b").mkdir()
    monkeypatch.chdir(store / "b")
    shutil.copy(store / "a" / "mlflow.db", store / "b")
    assert main(["sample", "../a/o/last.ckpt", "-n", "4", "--kind", "reconstruction"]) == 0
    assert main(["train", "resume=../a/o/last.ckpt", "budget.images=96", "paths.output=o2"]) == 0
    (store / "a" / "g.npz").unlink()
    assert main(["sample", "../a/o/last.ckpt", "-n", "4", "--kind", "reconstruction"]) == 2
    assert main(["sample", "../a/o/last.ckpt", "-n", "4"]) == 0  # draws need no data


SWEEPS = {
    "paths.output=x,y": "paths.output=x,y: the sweep gives each job its own",
    "study=a,b": "study=a,b: the sweep gives each job its own",
    "hydra.sweep.dir=x": "hydra.sweep.dir=x: a sweep writes to outputs/STUDY",
    "hydra.sweeper.prune_on=3": "hydra.sweeper.prune_on=3: expected a name or a list of names",
}


@pytest.mark.parametrize("override", SWEEPS)
def test_what_a_sweep_decides_itself_is_refused(override, store, capfd):
    assert SWEEPS[override] in refusal(["-m", *TINY, "seed=1,2", override], capfd)
    assert sorted(p.name for p in store.iterdir() if p.suffix != ".lock") == ["mlflow.db"]


@pytest.mark.parametrize("given", ["n=0", "n=-1", "batch_size=0", "batch_size=-3"])
def test_counts_of_a_score_are_at_least_one(given, store, capfd):
    assert main(["score", "abc", "extractor=mnist", given]) == 2
    assert f"{given}: expected at least 1" in capfd.readouterr().err


def test_an_interpolation_that_is_not_closed_names_its_config(store, capfd):
    (store / "conf" / "experiment").mkdir(parents=True)
    (store / "conf" / "experiment" / "unclosed.yaml").write_text("# @package _global_\nseed: ${batch_size\n")
    assert main(["train", "--config-dir=conf", "experiment=unclosed"]) == 2
    said = capfd.readouterr().err
    assert "experiment=unclosed" in said and "at input '${batch_size'" in said and said.count("\n") == 1


def test_a_file_below_paths_data_hashes_as_one_training_wherever_it_lies(tmp_path):
    import ganvas.scoring.references  # noqa: F401 - registers the resolver of data=npz
    from ganvas.config import compose
    from ganvas.run.identity import job_hash

    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        np.savez(tmp_path / place / "few.npz", images=np.zeros((8, 16, 16), np.uint8))
    line = ["data=npz", "data.path=${paths.data}/few.npz"]
    a, b = (job_hash(compose("train", [*line, f"paths.data={tmp_path / place}"])) for place in ("a", "b"))
    assert a == b != job_hash(compose("train", ["data=npz", f"data.path={tmp_path}/a/few.npz"]))


@pytest.mark.parametrize("group", ["transform", "data", "model", "extractor"])
def test_a_target_of_another_kind_is_bad_input(group, store, capsys):
    assert main(["train", "network=mlp", f"{group}._target_=builtins.dict"]) == 2
    assert f"{group}._target_=builtins.dict: expected a subclass of ganvas." in capsys.readouterr().err
    assert not (store / "outputs").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train resume=auto trust=${seed}", "trust=${seed}: expected a list, got 1; write [1]"),
        ("score x metrics=${n}", "metrics=${n}: expected a list, got "),
        ("sample x restore.factor=${oc.env:NO_SUCH_VARIABLE}", "restore.factor=${oc.env:NO_SUCH_VARIABLE}"),
    ],
)
def test_an_interpolation_in_the_place_of_a_list_is_named(line, said, store, capsys):
    assert main(line.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train prior.dim=9223372036854775808", "prior.dim=9223372036854775808: expected a whole number of at most 64"),
        (
            "train grid.columns=1" + "0" * 30,
            "grid.columns=1" + "0" * 30 + ": expected a whole number of at most 64 bits",
        ),
        ("train network=mlp network.generator.init.gain=1e400", "init: gain=inf: the weights cannot be drawn"),
        ("train ~", "cannot read the override '~'"),
    ],
)
def test_numbers_that_no_tensor_can_have_are_named(line, said, store, capsys):
    assert main(line.split()) == 2
    assert said in capsys.readouterr().err


def test_a_text_that_is_no_run_is_bad_input(store, capsys):
    assert main(["train", *FAST, "model=vae", 'tracking.run_id="x y"']) == 2
    assert "tracking.run_id=x y: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("reproduce iwae_table1 --cfg job", "paper: iwae_table1\n"),
        ("report --cfg job one two", "studies:\n- one\n- two\n"),
        ("score --cfg job RUN n=3", "source: RUN\n"),
        ("rerun --cfg=job RUN", "run_id: RUN\n"),
    ],
)
def test_the_value_of_an_option_is_no_study_and_no_paper(line, shown, store, capsys):
    assert main(line.split()) == 0 and capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize("line", [["report", "study", "open=???"], ["score", "nowhere", "batch_size=???"]])
def test_a_value_that_is_left_open_is_refused_before_anything_is_written(line, capsys):
    assert main(line) == 2
    key = line[-1].partition("=")[0]
    assert capsys.readouterr().err == f"ganvas: no value for {key}; write {key}=VALUE\n"
    assert not Path("outputs").exists()


@pytest.mark.parametrize(("key", "command"), [("init_from", ["train", *TINY]), ("resume", ["train", *TINY])])
def test_a_folder_without_a_checkpoint_is_named_with_its_key(key, command, capsys):
    Path("empty").mkdir()
    assert main([*command, f"{key}=empty"]) == 2
    said = capsys.readouterr().err
    assert said == f"ganvas: {key}=empty: no last.ckpt in this folder; give the output folder of a training\n"
