"""The callbacks together and alone, on a toy model over endless data: 4 images a batch."""

import errno
import io
import math
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Callback
from rich.console import Console

from ganvas.data.pictures import grid, labelled, pairs, scatter
from ganvas.display import lines_only
from ganvas.run.callbacks.budget import Budget
from ganvas.run.callbacks.checkpoints import Checkpoints
from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.grids import SampleGrids
from ganvas.run.callbacks.log_terms import LogTerms
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.callbacks.persist_log import PersistLog
from ganvas.run.callbacks.progress import ProgressLine
from ganvas.run.callbacks.whole_steps import WholeSteps
from ganvas.storage.checkpoints import CheckpointError, newest, read
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.outcomes import NonFiniteError
from ganvas.tracking.signals import Terminated, stop_signals_raise
from ganvas.tracking.store import open_store
from ganvas.types import Batch


def test_a_turn_that_is_broken_off_is_due_again_also_in_another_process():
    every = Every(10)
    with pytest.raises(KeyboardInterrupt), every.turn(12) as due:
        assert due
        raise KeyboardInterrupt
    state, later = every.state(), Every(10)
    later.start(12, state)
    with later.turn(12) as due:
        assert due
    with later.turn(13) as due:
        assert not due
    for other in (Every(10), Every(4)):  # without a state, and with one of another period, nothing is due at the start
        other.start(12, None if other.state()["period"] == 10 else state)
        with other.turn(12) as due:
            assert not due


def test_every_is_due_when_a_multiple_was_crossed():
    every = Every(10)
    assert [s for s in range(3, 60, 3) if every.due(s)] == [12, 21, 30, 42, 51]
    every = Every(10)
    assert [every.due(s) for s in (64, 128)] == [True, True]  # once a batch, however many multiples it holds


def test_every_after_resume():
    whole, first, second = Every(7), Every(7), Every(7)
    expected = [s for s in range(4, 100, 4) if whole.due(s)]
    got = [s for s in range(4, 48, 4) if first.due(s)]
    second.start(44)
    assert got + [s for s in range(48, 100, 4) if second.due(s)] == expected


def test_every_refuses_zero():
    with pytest.raises(ValueError, match="at least 1 image, got 0"):
        Every(0)


@pytest.mark.parametrize("max_epochs", [1, -1])
@pytest.mark.parametrize("images, seen", [(1, 4), (20, 20), (21, 24)])
def test_budget_ends_an_endless_epoch_exactly(fit, max_epochs, images, seen):
    assert fit([Budget(images)], max_epochs=max_epochs).images_seen == seen


@pytest.mark.parametrize("max_epochs", [1, -1])
def test_resume_with_the_same_and_with_a_larger_budget(fit, tmp_path, max_epochs):
    first = fit([Budget(20), Checkpoints(tmp_path, 8, 0)], max_epochs=max_epochs)
    path = str(tmp_path / "last.ckpt")
    same = fit([Budget(20), Checkpoints(tmp_path / "same", 8, 0)], max_epochs=max_epochs, ckpt_path=path)
    assert same.images_seen == 20 and same.weight == first.weight
    more = fit([Budget(40), Checkpoints(tmp_path / "more", 8, 0)], max_epochs=max_epochs, ckpt_path=path)
    whole = fit([Budget(40)], max_epochs=max_epochs)
    assert more.images_seen == 40 and torch.equal(more.weight, whole.weight)


def test_log_terms_at_multiples_and_at_the_end(fit, recorder):
    fit([Budget(28), LogTerms(recorder, 10)])
    assert [step for step, _ in recorder.logged] == [12, 20, 28]
    assert set(recorder.logged[0][1]) == {
        *("train/loss", "train/other", "train/toy/gradient_norm", "train/images_per_second")
    }
    # weight after k steps of SGD at rate 0.1 on (w - 1)^2 is 1 - 0.8^k; the loss was taken before the step
    assert recorder.logged[0][1]["train/other"] == pytest.approx(1 - 0.8**3)
    assert recorder.logged[0][1]["train/loss"] == pytest.approx(0.8**4)
    assert all(values["train/images_per_second"] > 0 for _, values in recorder.logged)


def test_the_log_is_on_the_disk_before_each_checkpoint_and_complete_up_to_it(fit, recorder, tmp_path):
    fit([Budget(28), LogTerms(recorder, 8), PersistLog(recorder), Checkpoints(tmp_path, 16, 0)])
    # the last terms too: a run that goes on from the last checkpoint would not log them
    assert recorder.persisted == [[8, 16], [8, 16, 24, 28]]
    assert [step for step, _ in recorder.logged] == [8, 16, 24, 28]


@pytest.mark.parametrize("every, found", [(1, 12), (10, 12), (16, 16)])
def test_not_finite_stops_with_the_term_and_the_images(fit, toy, every, found):
    model = toy()
    model.nan_at = 12
    with pytest.raises(
        NonFiniteError, match=f"'loss' is nan after {found} images. Try a lower learning rate"
    ) as caught:
        fit([Budget(100), StopWhenNotFinite(every)], model)
    assert (
        caught.value.what == "loss term 'loss'" and math.isnan(caught.value.value) and caught.value.images_seen == found
    )


def test_not_finite_in_the_last_batch(fit, toy):
    model = toy()
    model.nan_at = 20
    with pytest.raises(NonFiniteError):
        fit([Budget(20), StopWhenNotFinite(1000)], model)


def test_checkpoints_never_save_after_a_nan(fit, toy, tmp_path):
    model = toy()
    model.nan_at = 14
    with pytest.raises(NonFiniteError):
        fit([Budget(100), Checkpoints(tmp_path, 8, 0)], model)
    assert torch.load(tmp_path / "last.ckpt")["images_seen"] == 8


def test_a_weight_that_the_last_update_broke_ends_the_run(fit, toy, tmp_path):
    """Its terms are finite: they were taken before the update."""
    with pytest.raises(NonFiniteError, match="the weight 'broken' is inf after 20 images"):
        fit([Budget(20), BreakTheWeight(20), StopWhenNotFinite(1), Checkpoints(tmp_path, 8, 0)])
    assert torch.load(tmp_path / "last.ckpt")["images_seen"] == 16


class BreakTheWeight(Callback):
    def __init__(self, images):
        self.images = images

    def on_train_batch_end(self, trainer, pl_module, *_):
        if pl_module.images_seen == self.images:
            pl_module.broken = torch.nn.Parameter(torch.tensor([1.0, math.inf]))


def test_checkpoints_keep_last_and_some_before_it(fit, tmp_path):
    fit([Budget(36), Checkpoints(tmp_path, 8, 2)])
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "images-000000000032.ckpt",
        "images-000000000036.ckpt",
        "last-1.ckpt",
        "last.ckpt",
    ]
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)  # plain state: no pickled objects
    assert state["images_seen"] == 36
    assert torch.load(tmp_path / "images-000000000032.ckpt")["images_seen"] == 32
    assert read(tmp_path / "last-1.ckpt")["images_seen"] == 32


def test_the_checkpoint_before_the_last_one_is_of_the_same_training(fit, tmp_path):
    fit([Budget(16), Checkpoints(tmp_path, 8, 0)])
    assert [read(newest(tmp_path))["images_seen"], read(tmp_path / "last-1.ckpt")["images_seen"]] == [16, 8]
    fit([Budget(4), Checkpoints(tmp_path, 8, 0)])  # another training in the same folder, which saves once
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]
    fit([Budget(8), Checkpoints(tmp_path, 8, 0)], ckpt_path=tmp_path / "last.ckpt")
    assert read(tmp_path / "last-1.ckpt")["images_seen"] == 4


def test_a_damaged_checkpoint_is_not_resumed_and_takes_no_sound_ones_place(fit, tmp_path, caplog):
    whole = fit([Budget(24)])
    fit([Budget(16), Checkpoints(tmp_path, 8, 0)])
    last, previous = tmp_path / "last.ckpt", tmp_path / "last-1.ckpt"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        fit([Budget(24), Checkpoints(tmp_path, 8, 0)], ckpt_path=last)
    assert newest(tmp_path) == previous and "last.ckpt is damaged" in caplog.text
    more = fit([Budget(12), Checkpoints(tmp_path, 8, 0)], ckpt_path=previous)
    assert more.images_seen == 12 and [read(last)["images_seen"], read(previous)["images_seen"]] == [12, 8]
    assert torch.equal(fit([Budget(24), Checkpoints(tmp_path, 8, 0)], ckpt_path=last).weight, whole.weight)


def test_checkpoints_on_interruption_and_on_errors(fit, toy, tmp_path):
    class Raising(toy):
        error = KeyboardInterrupt

        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            if self.images_seen == 12:
                raise self.error

    with pytest.raises(SystemExit):
        fit([Checkpoints(tmp_path, 1000, 0)], Raising())
    assert torch.load(tmp_path / "last.ckpt")["images_seen"] == 12
    Raising.error = ValueError
    with pytest.raises(ValueError):
        fit([Checkpoints(tmp_path / "other", 1000, 0)], Raising())
    assert torch.load(tmp_path / "other" / "last.ckpt")["images_seen"] == 12


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_cut_a_step_in_two(fit, toy, tmp_path, signum):
    class Stopped(toy):
        halves = 0

        def training_step(self, batch, batch_idx):
            self.halves += 1
            if self.images_seen == 8:
                signal.raise_signal(signum)
            super().training_step(batch, batch_idx)
            self.halves += 1

    model = Stopped()
    with stop_signals_raise(), pytest.raises((SystemExit, Terminated)):
        fit([WholeSteps(), Checkpoints(tmp_path, 1000, 0)], model)
    assert (model.halves, model.images_seen) == (6, 12)
    assert torch.load(tmp_path / "last.ckpt")["images_seen"] == 12


class Broken(io.StringIO):
    """A terminal or a pipe that goes away after some writes."""

    def __init__(self, error, after, terminal):
        super().__init__()
        self.error, self.left, self.terminal, self.tried = error, after, terminal, 0

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.tried += 1
        if self.left <= 0:
            raise self.error
        self.left -= 1
        return len(text)


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("after", [0, 1, 3])
@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(5, "EIO"), ValueError("closed")])
def test_a_display_that_fails_is_off_and_the_training_goes_on(fit, tmp_path, capsys, error, after, terminal):
    file = Broken(error, after, terminal)
    line = ProgressLine(400, "x", Console(file=file, force_terminal=terminal))
    model = fit([Budget(400), line, Checkpoints(tmp_path, 1000, 0)])
    assert model.images_seen == 400 and torch.load(tmp_path / "last.ckpt")["images_seen"] == 400
    if file.tried > after:
        assert capsys.readouterr().err.count("no more progress") == 1


def test_a_picture_that_cannot_be_written_is_said_once(fit, recorder, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    held_out = Batch(torch.zeros(4, 1, 8, 8), None, torch.arange(4))
    model = fit([Budget(40), SampleGrids(recorder, 8, 2, 2, 0, held_out, tmp_path / "file")])
    assert model.images_seen == 40 and {step for _, _, step in recorder.images} == {0, 8, 16, 24, 32, 40}
    assert capsys.readouterr().err.count("no more pictures") == 1


@pytest.mark.parametrize("function", ["torch.save", "os.fsync", "os.replace"])
def test_full_disk_leaves_the_previous_checkpoint(fit, tmp_path, monkeypatch, function):
    fit([Budget(12), Checkpoints(tmp_path, 8, 0)])  # not what the second run tries to save first
    before = (tmp_path / "last.ckpt").read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(function, full)
    with pytest.raises(
        OSError, match=r"last\.ckpt: No space left.*free: .* MB in .*previous checkpoint is intact.*Make room"
    ) as caught:
        fit([Budget(16), Checkpoints(tmp_path, 8, 0)])
    assert caught.value.errno == errno.ENOSPC
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last-1.ckpt", "last.ckpt"]
    assert (tmp_path / "last.ckpt").read_bytes() == before


def test_a_disk_that_fills_leaves_no_half_picture(fit, recorder, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganvas.storage.atomic.os.fsync", full)
    held_out = Batch(torch.zeros(4, 1, 8, 8), None, torch.arange(4))
    fit([Budget(8), SampleGrids(recorder, 8, 2, 2, 0, held_out, tmp_path)])
    assert not list((tmp_path / "grids").glob("*")) and len(recorder.images) > 1


def test_grids_are_of_the_same_noise_and_enlarged(fit, recorder, toy, tmp_path):
    held_out = Batch(toy().sample(6, 5), None, torch.arange(6))
    fit([Budget(20), SampleGrids(recorder, 8, 2, 3, seed=1, held_out=held_out, folder=tmp_path)])
    assert [(key, step) for key, _, step in recorder.images] == [
        (key, step) for step in (0, 8, 16, 20) for key in ("samples", "reconstructions")
    ]
    pictures = [image for key, image, _ in recorder.images if key == "samples"]
    assert torch.equal(pictures[0], pictures[1]) and torch.equal(pictures[0], grid(toy().sample(6, 1), 3))
    assert pictures[0].shape == (3, 2 + 2 * 66, 2 + 3 * 66)  # 8 pixels, 8 times
    saved = np.array(Image.open(tmp_path / "samples.png"))
    assert (saved == pictures[-1].permute(1, 2, 0).numpy()).all() and (tmp_path / "reconstructions.png").exists()


def test_grids_stand_at_multiples_of_the_period_whatever_the_batch(fit, recorder, toy, tmp_path):
    held_out = Batch(toy().sample(6, 5), None, torch.arange(6))
    fit([Budget(40), SampleGrids(recorder, 10, 2, 3, seed=1, held_out=held_out, folder=tmp_path)])  # batches of 4
    assert {step for _, _, step in recorder.images} == {0, 10, 20, 30, 40}
    kept = {path.stem for path in (tmp_path / "grids").glob("*.webp")}
    keys = ("samples", "row", "reconstructions")
    assert kept == {f"{key}-{step:012d}" for key in keys for step in (0, 10, 20, 30, 40)}


def test_pairs_put_the_original_above_its_reconstruction():
    originals = torch.stack([torch.full((1, 64, 64), v) for v in (-1.0, -0.5, 0.5, 1.0)])
    picture = pairs(originals, -originals, 2)
    centres = picture[0, 34::66, 34::66]
    expected = torch.tensor([[-1, -0.5], [1, 0.5], [0.5, 1], [-0.5, -1]])
    assert torch.equal(centres, (127.5 * (expected + 1)).round().to(torch.uint8))


def test_labels_stand_beside_their_pictures():
    dark, light = torch.full((3, 20, 30), 10, dtype=torch.uint8), torch.full((3, 20, 40), 200, dtype=torch.uint8)
    whole = labelled([("a", dark), ("longer", light)])
    left = whole.shape[2] - 40
    assert torch.equal(whole[:, :20, left : left + 30], dark) and torch.equal(whole[:, 26:46, left:], light)
    assert whole[:, :20, :left].min() < 100 and whole[:, 26:46, :left].min() < 100  # written upon white


def test_points_are_scattered_on_the_scale_of_the_data():
    data = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    near, far = scatter(data, data), scatter(data + 100, data)
    assert near.dtype == torch.uint8 and near.shape == far.shape == (3, 480, 480)
    assert not torch.equal(near, far)


def test_lines_where_there_is_no_terminal(fit):
    file = io.StringIO()
    line = ProgressLine(400, "gan", Console(file=file))
    line.show_score("fd 12.3")
    fit([Budget(400), line])
    lines = file.getvalue().splitlines()
    assert 9 <= len(lines) <= 11 and all("\x1b" not in text and "\r" not in text for text in lines)
    pattern = r"gan 400/400 images  [\d,]+/s  0:00 left  loss \S+  fd 12\.3"
    assert re.fullmatch(pattern, lines[-1])


def test_bar_on_a_terminal_is_redrawn_seldom(fit, toy):
    class Slow(toy):
        reads = 0

        def training_step(self, batch, batch_idx):
            super().training_step(batch, batch_idx)
            time.sleep(0.005)

    file = io.StringIO()
    name = "gan mnist5k mlp " + " ".join(f"key.{i}=value" for i in range(12))  # longer than the line
    line = ProgressLine(400, name, Console(file=file, force_terminal=True, width=80))
    line.show_score("val/mnist/fd 82.13")
    fit([Budget(400), line], Slow())
    text = file.getvalue()
    drawn = re.findall(r"([\d,]+)/400 images +[\d,]+/s +0:0\d left", text)
    assert 2 <= len(drawn) <= 8 and drawn[-1] == "400"
    assert text.count(name) == 1 and re.search(r"loss \S+  val/mnist/fd 82\.13", text) and "…" not in text


def test_no_second_bar_where_others_write_to_the_terminal(fit):
    file = io.StringIO()
    with lines_only():
        fit([Budget(400), ProgressLine(400, "gan", Console(file=file, force_terminal=True))])
    assert "\x1b" not in file.getvalue() and "gan 400/400 images" in file.getvalue()


def test_all_together_in_a_real_store(fit, store, toy, tmp_path):
    held_out = Batch(toy().sample(2, 3), None, torch.arange(2))
    with MlflowRun.start("test", "toy", {}, output=tmp_path) as run:
        fit(
            [
                Budget(40),
                StopWhenNotFinite(4),
                LogTerms(run, 8),
                SampleGrids(
                    run,
                    20,
                    2,
                    2,
                    seed=0,
                    held_out=held_out,
                    folder=tmp_path / "out",
                ),
                Checkpoints(tmp_path / "out", 20, 1),
                ProgressLine(40, "toy", Console(file=io.StringIO())),
            ]
        )
    client = open_store("test")[0]
    assert [m.step for m in client.get_metric_history(run.id, "train/loss")] == [8, 16, 24, 32, 40]
    assert sum(f.path.endswith(".png") for f in client.list_artifacts(run.id, "images")) == 2 * 3  # at 0, 20 and 40
    assert client.get_run(run.id).info.status == "FINISHED" and run.undelivered == {}
    assert Path(tmp_path / "out" / "last.ckpt").exists()
