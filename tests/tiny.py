"""A training that takes seconds, as overrides, and a project folder to train in."""

import shutil
from contextlib import contextmanager

import pytest

TINY = [
    "network=mlp",
    "budget.images=640",
    "checkpoint.every=320",
    "grid.every=320",
    "score.n=40",
    "score.n_during=40",
    "paths.cache=cache",
    "score.settings.is_splits=2",
    "score.settings.kid_subsets=2",
    "grid.rows=2",
    "grid.columns=3",
    "tracking.system_metrics=false",
]


NARROW = [f"network.{part}.hidden=[32,32]" for part in ("generator", "critic", "encoder", "decoder")]
"""Dense networks whose checkpoints take 1 MB, those of network=mlp 20 MB; the overrides are part of a run's name."""


@contextmanager
def project(folder, template):
    """Make a folder the working folder, with a store of its own; yields the patch."""
    shutil.copy(template, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        yield patch
