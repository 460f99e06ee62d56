"""Which checkpoint is kept, and what a resumed run makes of it."""

import math
import shutil

import pytest
import torch
from pytorch_lightning import Callback

from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.registry import metrics, settings_of
from ganvas.run.callbacks.budget import Budget
from ganvas.run.callbacks.checkpoints import Checkpoints
from ganvas.run.callbacks.selection import Candidate, Selection
from ganvas.scoring.protocol import STREAMED, feature_protocol

SETTINGS = settings_of({"is_splits": 2, "kid_subsets": 2, "kid_subset_size": 10, "seed": 0})


def protocol(**changes):
    stated = {"reference": "toy", "reference_fingerprint": "0" * 64, "split": "val", "n_real": 10, "n_fake": 10}
    stated |= {"weights": "raw", "sample_seed": 1, "library": STREAMED}
    return feature_protocol(MnistExtractor(), metrics()["fd"], SETTINGS, **{**stated, **changes})


def selection(folder, metric="fd", earlier=lambda: None, **changes):
    return Selection(f"score/mnist/{metric}", protocol(**changes), folder, earlier)


class Offer(Callback):
    """Offers one value a batch of 4 images."""

    def __init__(self, chosen, values):
        self.chosen, self.values = chosen, iter(values)

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.chosen.offer(trainer, {self.chosen.key: next(self.values)}, pl_module.images_seen)

    def state_dict(self):
        return self.chosen.state()

    def load_state_dict(self, state_dict):
        self.chosen.restore(state_dict)


def run(fit, chosen, values, folder, **arguments):
    start = 4 * arguments.pop("after", 0)
    fit([Budget(start + 4 * len(values)), Offer(chosen, values), Checkpoints(folder, 4, 0)], **arguments)


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("fd", [5.0, 3.0, 4.0], (3.0, 8)),
        ("is", [5.0, 3.0, 6.0], (6.0, 12)),
        ("kid", [math.nan, 0.2, -0.1], (-0.1, 12)),
        ("fd", [2.0, math.nan, 2.0], (2.0, 4)),
        ("is", [1.0, math.inf, 0.5], (1.0, 4)),
    ],
)
def test_the_best_finite_score_is_kept_and_the_earlier_of_equals(fit, tmp_path, metric, values, best):
    chosen = selection(tmp_path, metric)
    run(fit, chosen, values, tmp_path)
    assert chosen.best == Candidate(*best)
    kept = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert kept["images_seen"] == best[1]
    assert float(kept["state_dict"]["weight"]) == pytest.approx(1 - 0.8 ** (best[1] / 4))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["best.ckpt", "last-1.ckpt", "last.ckpt"]


def test_without_a_finite_score_there_is_none(fit, tmp_path):
    chosen = selection(tmp_path)
    run(fit, chosen, [math.nan, math.inf], tmp_path)
    assert chosen.best is None and not (tmp_path / "best.ckpt").exists()


@pytest.mark.parametrize("later", [[2.0, 3.0], [0.5, 3.0]])
def test_a_resumed_run_chooses_as_an_uninterrupted_one(fit, tmp_path, later):
    whole = selection(tmp_path / "whole")
    run(fit, whole, [3.0, 1.0, *later], tmp_path / "whole")
    run(fit, selection(tmp_path / "a"), [3.0, 1.0], tmp_path / "a")
    second = selection(tmp_path / "b", earlier=lambda: tmp_path / "a" / "best.ckpt")
    run(fit, second, later, tmp_path / "b", ckpt_path=str(tmp_path / "a" / "last.ckpt"), after=2)
    assert (second.best, second.latest) == (whole.best, whole.latest)
    a, b = (torch.load(tmp_path / x / "best.ckpt", weights_only=True)["state_dict"] for x in ("whole", "b"))
    assert torch.equal(a["weight"], b["weight"])


@pytest.mark.parametrize("lost", ["moved", "damaged", "other weights", "other samples", "other metric"])
def test_what_cannot_be_gone_on_with_is_forgotten(fit, tmp_path, lost):
    run(fit, selection(tmp_path / "a"), [3.0, 1.0, 2.0], tmp_path / "a")
    earlier = None if lost == "moved" else tmp_path / "a" / "best.ckpt"
    if lost == "damaged":
        content = bytearray(earlier.read_bytes())
        content[len(content) // 2] ^= 1
        earlier.write_bytes(content)
    if lost == "other weights":
        shutil.copy(tmp_path / "a" / "last.ckpt", earlier)
    changes = {"other samples": {"sample_seed": 7}, "other metric": {"metric": "kid"}}.get(lost, {})
    second = selection(tmp_path / "b", earlier=lambda: earlier, **changes)
    run(fit, second, [9.0], tmp_path / "b", ckpt_path=str(tmp_path / "a" / "last.ckpt"), after=3)
    assert second.best == Candidate(9.0, 16)


def test_a_full_disk_names_the_best_checkpoint(fit, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"best\.ckpt: No space left.*Make room"):
        run(fit, selection(tmp_path), [1.0], tmp_path)
    assert not list(tmp_path.iterdir())
