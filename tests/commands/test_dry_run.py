"""`ganvas train --dry-run`: measured, told, and nothing written."""

import re

import pytest

from ganvas.cli import main
from ganvas.commands import dry_run
from ganvas.run import dry
from ganvas.run.dry import Trial

from ..tiny import TINY


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_ten_steps_are_measured_and_nothing_is_written(here, monkeypatch, capsys):
    steps = []
    once = dry._Steps.on_train_batch_end
    monkeypatch.setattr(dry._Steps, "on_train_batch_end", lambda *a, **k: (steps.append(1), once(*a, **k))[1])
    assert main(["train", "--dry-run", *TINY, "model=gan", "budget.images=1_000_000"]) == 0
    text = capsys.readouterr().out
    assert len(steps) == dry.WARM_UP + dry.STEPS == 13
    assert "objective non_saturating" in text and "train/val/test" in text
    assert len(re.findall(r"^(?:generator|critic) .*[\d,]+ parameters$", text, re.MULTILINE)) == 2
    assert re.search(r"^memory +\d\.\d GiB$", text, re.MULTILINE) and re.search(r"^time +about", text, re.MULTILINE)
    assert list(here.iterdir()) == []


def test_a_sweep_is_tried_out_at_spread_points(here, monkeypatch, capsys):
    tried = []

    def fake(cfg, job):
        tried.append((cfg.model._target_.rpartition(".")[2], cfg.optimizer.lr, cfg.seed))
        return Trial({"data": "digits"}, 10, 2**30, 100.0, "ten steps", training=50.0, scoring=10.0)

    monkeypatch.setattr(dry_run, "try_out", fake)
    rates = ",".join(f"{n}e-4" for n in range(1, 7))
    assert main(["train", "-m", "--dry-run", "model=gan,vae", f"optimizer.lr={rates}", "seed=5,6"]) == 0
    text = capsys.readouterr().out
    assert len(tried) == dry_run.MEASURED == 6 and {seed for _, _, seed in tried} == {5}
    assert {model for model, _, _ in tried} == {"GAN", "VAE"}
    assert "6 of 12 configurations were tried" in text
    assert "12 configurations x 2 seeds = 24 runs, one after the other: about 24 min" in text
    assert list(here.iterdir()) == []


def test_choices_by_a_pattern_and_deleted_keys_are_composed_as_by_the_sweep(here, monkeypatch, capsys):
    tried = []
    monkeypatch.setattr(
        dry_run,
        "try_out",
        lambda cfg, job: (
            tried.append((job.choices["experiment"], "precision" in cfg.trainer))
            or Trial({"data": ""}, 1, 1, 1.0, "", 60.0, 0.0)
        ),
    )
    assert main(["train", "-m", "--dry-run", "experiment=glob(demo_*)", "~trainer.precision"]) == 0
    assert tried == [("demo_gan", False), ("demo_vae", False), ("demo_wgan_gp", False)]
    assert "3 configurations x 1 seed = 3 runs" in capsys.readouterr().out


def test_own_parts_of_the_working_folder_are_tried_and_own_callbacks_are_not(here, capsys):
    (here / "rehearsed.py").write_text(
        "from pathlib import Path\n"
        "from pytorch_lightning import Callback\n"
        "from torch.optim import Adam\n"
        "class Slow(Adam): pass\n"
        "class Writes(Callback):\n"
        "    def on_train_start(self, *_): Path('written').touch()\n"
    )
    writes = "[{_target_: rehearsed.Writes}]"
    line = [f"+trainer.callbacks={writes}", "+callbacks.mine._target_=rehearsed.Writes", "+trainer.profiler=simple"]
    assert main(["train", "--dry-run", *TINY, "optimizer._target_=rehearsed.Slow", *line]) == 0, capsys.readouterr().err
    assert [path.name for path in here.iterdir() if path.name != "__pycache__"] == ["rehearsed.py"]


def test_a_search_is_tried_out_at_points_that_it_may_draw(here, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr(
        dry_run,
        "try_out",
        lambda cfg, job: drawn.append(cfg.optimizer.lr) or Trial({"data": ""}, 1, 1, 1.0, "", 60.0, 0.0),
    )
    search = ["hydra.sweeper.sampler=tpe", "hydra.sweeper.n_trials=3"]
    assert main(["train", "-m", "--dry-run", "optimizer.lr=interval(1e-4,1e-2)", *search]) == 0
    assert len(set(drawn)) == 3 and all(1e-4 <= lr <= 1e-2 for lr in drawn)
    assert "3 configurations x 1 seed = 3 runs" in capsys.readouterr().out


def test_bad_input_is_refused_as_by_the_training(here, capsys):
    assert main(["train", "--dry-run", "model=gna"]) == 2 and "gna" in capsys.readouterr().err
    assert main(["train", "--dry-run", "resume=x"]) == 2 and "leave resume out" in capsys.readouterr().err
    assert main(["train", "--dry-run", "--config-dir", "no"]) == 2 and "--config-dir=no" in capsys.readouterr().err
    assert main(["train", "--dry-run", "--cfg", "job"]) == 2 and "got --cfg" in capsys.readouterr().err
    assert list(here.iterdir()) == []
