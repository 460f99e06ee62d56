import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.tracking.journal import JournalBusy
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.run import Run, SilentRun
from ganvas.tracking.signals import Terminated, exit_code, is_interruption, stop_signals_raise
from ganvas.tracking.store import StoreError, open_store


@pytest.fixture
def client(store):
    return open_store("test")[0]


def start(**arguments):
    return MlflowRun.start("test", "a run", {}, **{"output": Path("out"), **arguments})


def test_finished_with_name_tags_and_user(client):
    tags = {"study": "ü", "ganvas.hash": "abc"}
    with MlflowRun.start("test", "β-VAE · größer λ", tags, output=Path("out")) as run:
        assert client.get_run(run.id).info.status == "RUNNING"
    info = client.get_run(run.id)
    assert info.info.status == "FINISHED" and info.info.run_name == "β-VAE · größer λ"
    assert info.data.tags["study"] == "ü" and info.data.tags["mlflow.user"]
    assert info.info.end_time is not None and run.undelivered == {}


def test_failure_is_recorded_and_propagates(client):
    with pytest.raises(ValueError, match="wrong"):
        with start() as run:
            raise ValueError("wrong\nshape")
    info = client.get_run(run.id)
    assert info.info.status == "FAILED" and info.data.tags["ganvas.failure"] == "ValueError: wrong shape"
    text = open(client.download_artifacts(run.id, "failure.txt")).read()
    assert "Traceback" in text and "ValueError: wrong\nshape" in text


@pytest.mark.parametrize(
    "error, status", [(KeyboardInterrupt, "KILLED"), (SystemExit(3), "FAILED"), (SystemExit(0), "FINISHED")]
)
def test_other_ways_out(client, error, status):
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        with start() as run:
            raise error
    assert client.get_run(run.id).info.status == status


def test_lightning_exit_after_ctrl_c_is_killed(client):
    with pytest.raises(SystemExit):
        with start() as run:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                sys.exit(1)
    assert client.get_run(run.id).info.status == "KILLED"


SCRIPT = """
    import sys, time, torch
    from pathlib import Path
    import pytorch_lightning as pl
    from torch.utils.data import DataLoader, IterableDataset
    from ganvas.tracking.mlflow_run import MlflowRun
    from ganvas.run.callbacks.checkpoints import Checkpoints

    class Endless(IterableDataset):
        def __iter__(self):
            while True:
                time.sleep(0.01)
                yield torch.zeros(1)

    class Toy(pl.LightningModule):
        automatic_optimization = False
        images_seen, terms = 0, {}
        def configure_optimizers(self):
            self.w = torch.nn.Parameter(torch.zeros(()))
            return torch.optim.SGD([self.w], lr=0.1)
        def training_step(self, batch, i):
            self.images_seen += 1
            if self.images_seen == 3:
                print("training", flush=True)

    with MlflowRun.start("test", "stopped", {}, output=Path(".")) as run:
        print(run.id, flush=True)
        pl.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
                   enable_model_summary=False, callbacks=[Checkpoints(".", 10**9, 0)]).fit(Toy(), DataLoader(Endless()))
"""


def _launch(folder):
    folder.mkdir()
    # Python ignores SIGINT where its parent did (a background job's): the handler is set as in a terminal.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + textwrap.dedent(SCRIPT)
    environment = os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///../mlflow.db"}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, env=environment, stdout=-1, stderr=-1, text=True)


@pytest.mark.slow
def test_signals_leave_the_run_killed_with_its_last_checkpoint(client, store):
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU)
    processes = {signum: _launch(store / signum.name) for signum in signals}
    for signum, process in processes.items():
        run_id = process.stdout.readline().strip()
        assert process.stdout.readline().strip() == "training"
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode != 0
        assert client.get_run(run_id).info.status == "KILLED", stderr
        assert (store / signum.name / "last.ckpt").exists()


FIRST = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU]


@pytest.mark.parametrize("second", FIRST)
@pytest.mark.parametrize("first", FIRST)
def test_a_second_signal_does_not_break_what_the_first_began(first, second):
    saved = []
    with stop_signals_raise():
        try:
            signal.raise_signal(first)
        except (KeyboardInterrupt, Terminated) as stop:
            for _ in range(3):
                signal.raise_signal(second)
            saved.append(stop)
    assert is_interruption(saved[0]) and exit_code(saved[0]) == 128 + first


def test_a_signal_that_comes_long_after_the_first_raises_again(monkeypatch):
    monkeypatch.setattr("ganvas.tracking.signals._INSIST_SECONDS", 0.05)
    with stop_signals_raise(), pytest.raises(Terminated):
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.1)
        signal.raise_signal(signal.SIGTERM)


def test_a_block_in_a_block_counts_the_signals_of_both():
    with stop_signals_raise():
        with suppress(Terminated), stop_signals_raise():
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals_raise():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back(client):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with start():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_five_hundred_params_odd_keys_and_long_values(client):
    flat = {f"group.key{i}": i for i in range(500)}
    flat |= {"long": "x" * 7000, "odd[0]": 1, "odd(0)": 2, "k" * 300: "long key", "empty": "", "none": None, "λ": 1.0}
    with start() as run:
        run.params(flat)
        run.flush()
    params = client.get_run(run.id).data.params
    assert len(params) == 507 and params["group.key499"] == "499"
    assert len(params["long"]) == 6000 and params["long"].endswith("x… (full value in config.yaml)")
    assert params["odd_0_"] == "1" and sum(v == "2" for k, v in params.items() if k.startswith("odd_0_")) == 1
    assert params["none"] == "None" and params["λ"] == "1.0"


def test_metrics_keep_order_and_step_and_survive_the_non_finite(client):
    with start() as run:
        for step in range(0, 3000, 2):
            run.metrics({"train/loss": step / 2, "a(b)": 1}, step=step)
        run.metrics({"train/bad": math.nan, "train/inf": -math.inf}, step=64)
    history = client.get_metric_history(run.id, "train/loss")
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == [(s, s / 2) for s in range(0, 3000, 2)]
    data = client.get_run(run.id).data
    assert math.isnan(data.metrics["train/bad"]) and math.isnan(data.metrics["train/inf"])
    assert data.tags["ganvas.non_finite.train/inf"] == "-inf at 64 images"
    assert data.metrics["a_b_"] == 1 and run.undelivered == {}


def test_gallery_images_come_back_exactly(client):
    picture = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    with start() as run:
        run.image("samples", picture, step=128)
        run.image("samples", grey, step=256)
        grey[:] = 0  # the run keeps its own copy
    files = [f.path for f in client.list_artifacts(run.id, "images")]
    full = sorted(f for f in files if f.endswith(".png"))
    assert len(files) == 4 and all(f.startswith("images/samples+step+") for f in files)
    back = np.array(Image.open(client.download_artifacts(run.id, next(f for f in full if "+step+128+" in f))))
    assert (back == picture.permute(1, 2, 0).numpy()).all()
    back = np.array(Image.open(client.download_artifacts(run.id, next(f for f in full if "+step+256+" in f))))
    assert (back == np.arange(100).reshape(10, 10)).all()
    assert client.get_run(run.id).data.tags["mlflow.loggedImages"] == "True"


def test_a_run_keeps_its_journal_when_the_process_changes_its_working_folder(client, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with start(offline=True) as run:
        monkeypatch.chdir(elsewhere)
        run.metrics({"late": 1.0}, step=64)
        run.image("samples", torch.zeros(3, 4, 4, dtype=torch.uint8), step=64)
    assert not list(elsewhere.iterdir())
    (entries,) = tmp_path.glob("out/journal/*/entries.jsonl")
    assert '"late"' in entries.read_text() and '"kind": "end"' in entries.read_text().splitlines()[-1]


def test_float_images_are_refused(client):
    with start() as run, pytest.raises(ValueError, match="uint8"):
        run.image("samples", torch.zeros(3, 4, 4), step=0)


def test_text_artifact_tags_and_dataset(client, tmp_path):
    (tmp_path / "some.bin").write_bytes(b"123")
    fingerprint = "0123456789abcdef" * 4
    with start() as run:
        run.text("git/diff.patch", "+ é")
        run.artifact(tmp_path / "some.bin", "folder")
        run.tags({"long": "y" * 9000})
        run.dataset("mnist5k", fingerprint, "train", (1, 28, 28), 4000)
        run.dataset("mnist5k", fingerprint[::-1], "validation", (1, 28, 28), 500)
    assert open(client.download_artifacts(run.id, "git/diff.patch"), encoding="utf-8").read() == "+ é"
    assert open(client.download_artifacts(run.id, "folder/some.bin"), "rb").read() == b"123"
    info = client.get_run(run.id)
    assert info.data.tags["long"].endswith("… (full value in config.yaml)")
    inputs = {i.tags[0].value: i.dataset for i in info.inputs.dataset_inputs}
    assert inputs["train"].digest == fingerprint[:36] and fingerprint in inputs["train"].profile
    assert set(inputs) == {"train", "validation"} and inputs["train"].name == "mnist5k"


def test_resume_goes_on_with_the_same_run(client):
    with pytest.raises(ValueError):
        with start() as run:
            run.params({"a": 1, "b": 2})
            run.metrics({"m": 1}, step=10)
            raise ValueError("first time")
    with start(run_id=run.id) as again:
        assert client.get_run(run.id).info.status == "RUNNING"
        again.params({"a": 1, "b": 3, "c": 4})
        again.metrics({"m": 2}, step=20)
    info = client.get_run(run.id)
    assert again.id == run.id and info.info.status == "FINISHED" and "ganvas.failure" not in info.data.tags
    assert info.data.params == {"a": "1", "b": "2", "c": "4"} and info.data.metrics["m"] == 2
    assert info.data.tags["ganvas.resumed_with"] == "b: 2 -> 3"


def test_resume_of_an_unknown_run(client):
    with pytest.raises(StoreError, match="tracking.run_id=nosuchrun: .* has no such run"):
        with start(run_id="nosuchrun"):
            pass


def broken(*args, **kwargs):
    raise OSError(28, "No space left on device")


def test_store_that_goes_away_for_good_is_named_and_what_it_lacks_is_kept(client, monkeypatch, caplog):
    monkeypatch.setattr("ganvas.tracking.courier._LAST_TRIES", 1)
    with monkeypatch.context() as patch, start() as run:
        run.metrics({"m": 1}, step=1)
        run.flush()
        patch.setattr("mlflow.tracking.MlflowClient.log_batch", broken)
        run.metrics({"m": 2, "k": 2}, step=2)
        with pytest.raises(StoreError, match="2 metrics.*No space left"):
            run.flush()
    assert run.undelivered == {"metrics": 2, "end": 1}
    assert client.get_run(run.id).data.metrics == {"m": 1}
    messages = [r.getMessage() for r in caplog.records if r.name == "ganvas.tracking"]
    assert len(messages) == 2 and "Training goes on" in messages[0]
    assert "lacks 2 metrics, 1 end" in messages[1] and "`ganvas sync out` delivers it" in messages[1]


def test_store_that_comes_back_gets_everything_once(client, monkeypatch):
    with start() as run:
        with monkeypatch.context() as patch:
            patch.setattr("mlflow.tracking.MlflowClient.log_batch", broken)
            run.metrics({"m": 2}, step=2)
            with pytest.raises(StoreError):
                run.flush()
        run.metrics({"m": 3}, step=3)
    assert [(m.step, m.value) for m in client.get_metric_history(run.id, "m")] == [(2, 2), (3, 3)]
    assert run.undelivered == {} and client.get_run(run.id).info.status == "FINISHED"


def test_a_dead_artifact_store_holds_up_no_metric(client, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.courier._LAST_TRIES", 1)
    with start() as run:
        monkeypatch.setattr("mlflow.tracking.MlflowClient.log_artifact", broken)
        for step in range(20):
            run.image("samples", torch.zeros(1, 8, 8, dtype=torch.uint8), step=step)
            run.metrics({"m": step}, step=step)
    info = client.get_run(run.id)
    assert len(client.get_metric_history(run.id, "m")) == 20 and info.info.status == "FINISHED"
    assert run.undelivered == {"image": 20} and "20 image (OSError" in info.data.tags["ganvas.not_logged"]


def test_end_of_a_run_survives_a_dead_store(client, monkeypatch, caplog):
    monkeypatch.setattr("ganvas.tracking.courier._LAST_TRIES", 1)
    with start() as run:
        monkeypatch.setattr("mlflow.tracking.MlflowClient.set_terminated", broken)
    assert f"{run.id} lacks 1 end" in caplog.text


def test_store_that_hangs_makes_nobody_wait_longer_than_the_patience(client, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.mlflow_run._PATIENCE", 0.3)
    monkeypatch.setattr("ganvas.tracking.courier._LEAVING", 0.1)
    begun = time.monotonic()
    with start() as run:
        monkeypatch.setattr("mlflow.tracking.MlflowClient.log_batch", lambda *a, **k: time.sleep(3))
        run.metrics({"m": 1}, step=1)
        with pytest.raises(StoreError):
            run.flush()
        for step in range(70):
            run.image("samples", torch.zeros(1, 2, 2, dtype=torch.uint8), step=step)
    assert time.monotonic() - begun < 2.5
    assert run.undelivered["metrics"] == 1


def test_what_the_store_refuses_holds_up_nothing(client):
    with start() as run:
        run.metrics({"m": 1}, step=1)
        run._journal.append({"kind": "metrics", "time": 1, "step": 2, "values": {"no(key": 1.0, "m": 2.0}})
        run.metrics({"m": 3}, step=3)
    assert [m.value for m in client.get_metric_history(run.id, "m") if m.step != 2] == [1, 3]
    assert 2.0 in [m.value for m in client.get_metric_history(run.id, "m")]
    assert run.undelivered == {"metrics": 1}


def test_a_journal_that_cannot_be_written_is_counted(client, monkeypatch, caplog):
    with start() as run:
        with monkeypatch.context() as patch:
            patch.setattr("os.write", broken)
            run.metrics({"m": 1, "k": 1}, step=1)
        run.metrics({"m": 2}, step=2)
    assert run.undelivered == {"metrics": 2} and "the journal cannot be written" in caplog.text
    assert [m.value for m in client.get_metric_history(run.id, "m")] == [2]


def test_points_that_are_trained_again_are_not_logged_again(client):
    picture = torch.zeros(1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError):
        with start() as run:
            for step in (10, 20, 30):
                run.metrics({"m": step, "speed": 1.0}, step=step)
                run.image("samples/a", picture, step)
            run.metrics({"cost": 1.0}, step=0)
            raise ValueError
    for output in ("out", "elsewhere"):
        with start(run_id=run.id, since=20, output=Path(output)) as again:
            for step in (30, 40):
                again.metrics({"m": step, "speed": 2.0 + step}, step=step)
                again.image("samples/a", picture, step)
            again.metrics({"cost": 2.0}, step=0)
            again.metrics({"m": 20}, step=20)  # as scores of the checkpoint that are measured again
    history = {key: sorted((m.step, m.value) for m in client.get_metric_history(run.id, key)) for key in ("m", "speed")}
    assert history["m"] == [(10, 10), (20, 20), (30, 30), (40, 40)]
    assert history["speed"] == [(10, 1), (20, 1), (30, 1), (40, 42)]
    assert client.get_run(run.id).data.metrics["cost"] == 2
    assert sum(f.path.endswith(".png") for f in client.list_artifacts(run.id, "images")) == 4


def test_one_run_has_one_process(client, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.journal._LOOK", 0.05)
    with start() as run, pytest.raises(JournalBusy, match="another process"):
        with start(run_id=run.id):
            pass


def test_system_metrics_have_the_step_of_the_images_seen(client, monkeypatch):
    monkeypatch.setattr("ganvas.tracking.writer._INTERVAL", 0.05)
    monkeypatch.setattr("ganvas.tracking.system_metrics._INTERVAL", 0.1)
    with start(system_metrics=True) as run:
        run.metrics({"m": 1}, step=640)
        time.sleep(0.5)
    history = client.get_metric_history(run.id, "system/cpu_utilization_percentage")
    assert history and history[-1].step == 640


def test_the_silent_run_takes_everything_and_keeps_nothing(store):
    run = SilentRun()
    run.params({"a": 1})
    run.metrics({"loss": 1.0}, step=4)
    run.image("samples", torch.zeros(3, 8, 8, dtype=torch.uint8), step=4)
    run.tags({"a": "b"})
    run.text("note.txt", "a")
    run.artifact("missing.txt")
    run.dataset("d", "0" * 64, "train", (2,), 4)
    run.persist()
    run.flush()
    assert run.id == "" and run.latest("") == {}


def test_a_run_is_abstract_and_its_two_classes_are_whole():
    with pytest.raises(TypeError, match="abstract"):
        Run()
    assert not MlflowRun.__abstractmethods__ and not SilentRun.__abstractmethods__


def test_a_long_name_fits_into_a_database_server(client):
    with MlflowRun.start("test", "n" * 251, {}, output=Path("out")) as run:
        pass
    assert client.get_run(run.id).info.run_name == "n" * 249 + "…"
