"""Callbacks of the user's own, and the debug presets."""

from __future__ import annotations

import json

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from ganvas.cli import main
from ganvas.config import ConfigError
from ganvas.run.callbacks.own import own_callbacks
from ganvas.run.identity import configuration_hash, job_hash
from ganvas.run.training import make_trainer

from ..tiny import NARROW, TINY

WATCH = """
from pytorch_lightning import Callback

class Watch(Callback):
    def __init__(self, every: int) -> None:
        self.every, self.seen = every, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if batch_idx % self.every == 0:
            self.seen.append(pl_module.images_seen)

    def on_train_end(self, trainer, pl_module) -> None:
        open("seen.txt", "w").write(str(self.seen))
"""
SHORT = [*TINY, *NARROW, "extractor=none", "score.every=null", "score.select=null"]


def composed(*overrides):
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return compose("train", [*overrides, "paths.output=out"])


@pytest.fixture
def watch(store, monkeypatch):
    (store / "my_watch.py").write_text(WATCH)
    monkeypatch.syspath_prepend(store)
    (store / "configs" / "callbacks").mkdir(parents=True)
    (store / "configs" / "callbacks" / "mine.yaml").write_text("watch: {_target_: my_watch.Watch, every: 2}\n")
    return store


def test_a_callback_of_one_s_own_sees_the_training_and_needs_trust_later(watch, capsys):
    given = ["--config-dir", "configs", "callbacks=mine", "model=gan"]
    assert main(["train", *SHORT, *given, "paths.output=out"]) == 0
    assert json.loads((watch / "seen.txt").read_text()) == [64, 192, 320, 448, 576]
    assert main(["sample", "out/last.ckpt", "-n", "4"]) == 2
    assert "callbacks.watch._target_ names 'my_watch.Watch'" in capsys.readouterr().err
    assert main(["sample", "out/last.ckpt", "-n", "4", "trust=[my_watch]"]) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["+callbacks.watch._target_=my_watch.Watch"], "every"),
        (["+callbacks.watch={_target_:my_watch.Watch,every:often}"], "callbacks.watch.every=often: expected a whole"),
        (["+callbacks.watch=3"], "callbacks.watch: expected a callback of Lightning, got 3"),
        (["+callbacks.watch._target_=torch.nn.ReLU"], "callbacks.watch: expected a callback of Lightning, got ReLU"),
        (["+callbacks._target_=my_watch.Watch", "+callbacks.every=2"], "expected a name for each callback"),
    ],
)
def test_what_is_no_callback_is_refused_by_its_key(watch, given, said):
    with pytest.raises(ConfigError, match=said):
        own_callbacks(composed(*given))


def test_no_callbacks_leave_the_hashes_as_they_were(watch):
    plain, with_one = composed(), composed("+callbacks.watch={_target_:my_watch.Watch,every:2}")
    old = OmegaConf.create({k: v for k, v in OmegaConf.to_container(plain, resolve=True).items() if k != "callbacks"})
    assert own_callbacks(old) == []
    for hashed in (job_hash, configuration_hash):
        assert hashed(old) == hashed(plain) != hashed(with_one)


def test_debug_presets_beat_the_experiment_and_the_command_line_beats_them():
    cfg = composed("experiment=article_gan", "debug=fast")
    assert (cfg.budget.images, cfg.score.n, cfg.network.name) == (640, 100, "article")
    assert composed("debug=fast", "budget.images=64").budget.images == 64


@pytest.mark.slow
def test_a_fast_run_ends_with_scores(store):
    assert main(["train", "debug=fast", "model=vae", "paths.output=out", "paths.cache=cache"]) == 0
    found = json.loads((store / "out" / "result.json").read_text())
    assert found["images_seen"] == 640 and "score/mnist/fd" in found["scores"]


def test_a_profile_is_a_file_of_the_output_folder(store):
    assert main(["train", *SHORT, "debug=profile", "budget.images=128", "paths.output=out"]) == 0
    assert "run_training_batch" in (store / "out" / "fit-profile.txt").read_text()
    assert make_trainer(composed(), store).profiler.filename is None


def test_anomalies_are_detected(store):
    was = torch.is_anomaly_enabled()
    assert make_trainer(composed("debug=anomaly"), store)._detect_anomaly and not was
