"""Averages beside a training, from recorded weights to the network that samples."""

import pytest
import torch
from pytorch_lightning import Trainer
from torch import nn

from ganvas.config import ConfigError
from ganvas.models.posthoc import exponent
from ganvas.run.callbacks.posthoc_averages import PosthocAverages
from ganvas.scoring.averages import load_average
from ganvas.storage.checkpoints import CheckpointError
from ganvas.tracking.outcomes import NonFiniteError
from ganvas.tracking.run import SilentRun

TRAINER = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
STEPS, BATCH = 60, 8
NETWORKS = {"generator": nn.BatchNorm1d(3)}


class Walker(nn.Module):
    """A model whose only network moves on a path that is known in advance."""

    averaged = ("generator",)
    headline, skips_updates, device = (), False, torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.generator = nn.BatchNorm1d(3)
        self.critic = nn.Linear(1, 1)
        self.images_seen, self.terms = 0, {}

    @property
    def networks(self):
        return {"generator": self.generator, "critic": self.critic}

    def part(self, name):
        return self.networks[name]

    def gradient_norms(self):
        return {}

    sample = sample_part = gradient_norms

    def step(self):
        i = self.images_seen = self.images_seen + BATCH
        noise = torch.Generator().manual_seed(i)
        with torch.no_grad():
            self.generator.weight.copy_(torch.randn(3, generator=noise) * 0.1 + i / 100)
            self.generator.running_var.fill_(1.0 if i == 49 * BATCH else 1e-6)
            self.generator.num_batches_tracked += 1


def callback(folder, earlier=lambda name: None, every=24):
    return PosthocAverages(SilentRun(), [0.05, 0.1], every, folder, earlier)


def saved(averages, model, file):
    checkpoint = {"images_seen": model.images_seen}
    averages.on_save_checkpoint(TRAINER, model, checkpoint)
    torch.save(checkpoint, file)
    return torch.load(file, weights_only=True)


def walk(model, averages, steps):
    averages.on_train_start(TRAINER, model)
    path = []
    for _ in range(steps):
        model.step()
        path.append(model.generator.weight.detach().clone())
        averages.on_train_batch_end(TRAINER, model, None, None, 0)
    return path


def mean_of(path, width):
    """The integral of the profile times the weights, which are constant between updates."""
    edges = (torch.arange(len(path) + 1).double() / len(path)) ** (exponent(width) + 1)
    return (edges.diff()[:, None] * torch.stack(path).double()).sum(0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    model, averages = Walker(), callback(folder)
    before = torch.get_rng_state()
    path = walk(model, averages, STEPS)
    assert torch.equal(before, torch.get_rng_state())
    return folder, path, saved(averages, model, folder / "last.ckpt")


@pytest.mark.parametrize("width", [0.04, 0.05, 0.07, 0.1, 0.15])
def test_the_network_gets_the_mean_over_its_recorded_path(whole, width):
    folder, path, checkpoint = whole
    model = Walker()
    load_average({"generator": model.generator}, checkpoint, str(folder), width)
    off = (model.generator.weight - mean_of(path, width)).abs().max().item()
    assert off < (1e-5 if width in (0.05, 0.1) else 5e-3)  # the path spans 4.8
    assert model.generator.num_batches_tracked == STEPS


def test_no_combination_makes_a_variance_negative(tmp_path):
    """A variance that was large once, at a moment for which the combination has a small negative weight."""
    model, averages = Walker(), callback(tmp_path, every=48)
    walk(model, averages, STEPS)
    load_average({"generator": model.generator}, saved(averages, model, tmp_path / "a"), str(tmp_path), 0.03)
    assert (model.generator.running_var == 0).all() and (model.generator.weight != 0).all()


def test_snapshots_are_written_at_their_interval_and_listed(whole):
    folder, _, checkpoint = whole
    names = [f"ema/images-{seen:012d}.safetensors" for seen in range(24, STEPS * BATCH + 1, 24)]
    assert list(checkpoint["posthoc"]["snapshots"]) == names
    assert sorted(path.name for path in (folder / "ema").iterdir()) == [name[4:] for name in names]


def test_a_resumed_training_in_another_folder_has_the_same_averages_and_snapshots(whole, tmp_path):
    folder, _, checkpoint = whole
    model, first = Walker(), callback(tmp_path / "a")
    walk(model, first, 21)  # just after a snapshot: none is due at the next step
    half = saved(first, model, tmp_path / "a" / "last.ckpt")
    second = callback(tmp_path / "b", earlier=lambda name: tmp_path / "a" / name)
    second.on_load_checkpoint(TRAINER, model, half)
    walk(model, second, STEPS - 21)
    resumed = saved(second, model, tmp_path / "b" / "last.ckpt")["posthoc"]
    assert resumed["snapshots"] == checkpoint["posthoc"]["snapshots"]
    for width, tensors in checkpoint["posthoc"]["averages"].items():
        assert all(torch.equal(resumed["averages"][width][key], value) for key, value in tensors.items())
    for name in resumed["snapshots"]:
        assert (tmp_path / "b" / name).read_bytes() == (folder / name).read_bytes()


def test_what_cannot_be_combined_is_refused_by_name(whole, tmp_path):
    folder, _, checkpoint = whole
    with pytest.raises(ConfigError, match=r"ema=0.28: .*2 widths at 20 times.* error of \d+%, expected at most 10%"):
        load_average(NETWORKS, checkpoint, str(folder), 0.28)
    with pytest.raises(ConfigError, match="ema=0.5: sigma_rel=0.5: expected a number above 0"):
        load_average(NETWORKS, checkpoint, str(folder), 0.5)
    with pytest.raises(ConfigError, match=r"ema=0.07: old.ckpt has no averages.*train with ema.sigmas=\[0.05,0.1\]"):
        load_average(NETWORKS, {"images_seen": 9}, "old.ckpt", 0.07)
    (tmp_path / "ema").mkdir()
    first, second, *others = checkpoint["posthoc"]["snapshots"]
    for name in others:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    missing = r"2 of 19 snapshots are not beside its checkpoint: ema/images-000000000024.safetensors, .*48.safetensors;"
    with pytest.raises(CheckpointError, match=missing):
        load_average(NETWORKS, checkpoint, str(tmp_path), 0.07)
    for name in (first, second):
        (tmp_path / name).write_bytes((folder / others[0]).read_bytes())
    with pytest.raises(CheckpointError, match=r"000024.safetensors is not the snapshot that was written"):
        load_average(NETWORKS, checkpoint, str(tmp_path), 0.07)


def test_no_snapshot_of_weights_after_a_nan(tmp_path):
    model, averages = Walker(), callback(tmp_path)
    averages.on_train_start(TRAINER, model)
    model.terms = {"loss": torch.tensor(float("nan"))}
    model.images_seen = 24
    with pytest.raises(NonFiniteError):
        averages.on_train_batch_end(TRAINER, model, None, None, 0)
    assert not (tmp_path / "ema").exists()
