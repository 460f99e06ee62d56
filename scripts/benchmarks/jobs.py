"""Measure the overhead of a job of a sweep beyond its training, from the second job on in one process.

``ganvas train -m`` runs a grid of equal VAEs on the embedded digits in this process, with an SQLite store, the default
settings and no scores, since their cost depends on their number of images. The script prints medians of

- a job: from the end of the previous job to its own end, by MLflow's clock;
- its training: ``Trainer.fit`` with all callbacks, ten grids, ten checkpoints and two hundred readings of the losses.
  The rest of a job, with MLflow's start and end, is its overhead;
- the bare training: the same data, model and batches under a Lightning trainer that only counts images. The difference
  between the two trainings is the cost of the callbacks.

Usage: python scripts/benchmark_sweep.py [--jobs 8] [--images 64000]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from typing import Any

import pytorch_lightning as pl
from hydra import compose, initialize_config_module
from mlflow.tracking import MlflowClient

from ganvas.cli import main as ganvas
from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.run.callbacks.budget import Budget
from ganvas.tracking.store import tracking_uri

STUDY = "overhead"
LINE = ["model=vae", "network=mlp", "extractor=none", "score.every=null", "tracking.system_metrics=false"]


class Stopwatch:
    """Times every ``Trainer.fit`` inside a ``with`` block."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __enter__(self) -> Stopwatch:
        self._fit = pl.Trainer.fit

        def fit(trainer: pl.Trainer, *arguments: Any, **named: Any) -> None:
            began = time.perf_counter()
            self._fit(trainer, *arguments, **named)
            self.seconds.append(time.perf_counter() - began)

        pl.Trainer.fit = fit  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *error: object) -> None:
        pl.Trainer.fit = self._fit  # type: ignore[method-assign]


def jobs(images: int, count: int) -> list[float]:
    """Measure the seconds of each job of a sweep except the first."""
    rates = ",".join(f"{1e-3 + i * 1e-5:.5f}" for i in range(count))
    line = [*LINE, f"budget.images={images}", f"optimizer.lr={rates}", f"study={STUDY}"]
    with contextlib.redirect_stdout(io.StringIO()):
        if code := ganvas(["train", "-m", *line]):
            raise SystemExit(f"the sweep ended with {code}")
    client = MlflowClient(tracking_uri())
    (experiment,) = (e for e in client.search_experiments() if e.name == "ganvas")
    of_the_study = f"tags.`ganvas.role` = 'run' and tags.`ganvas.study` = '{STUDY}'"
    found = client.search_runs([experiment.experiment_id], of_the_study)
    ends = sorted(run.info.end_time / 1000 for run in found)
    return [later - earlier for earlier, later in zip(ends, ends[1:], strict=False)]


def training(images: int) -> float:
    """Measure the seconds of the same training alone."""
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        cfg = compose("train", [*LINE, f"budget.images={images}"])
    pl.seed_everything(1, verbose=False)
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, 0)
    data.prepare_data()
    model = build(cfg.model)
    off: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(max_epochs=1, limit_val_batches=0, accelerator="auto", callbacks=[Budget(images)], **off)
    began = time.perf_counter()
    trainer.fit(model, data)
    return time.perf_counter() - began


def main() -> None:
    """Run the sweep and the bare trainings, print medians and the overhead."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"jobs": 8, "images": 64_000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with Stopwatch() as watched:
            swept = jobs(options.images, options.jobs)
        bare = [training(options.images) for _ in swept]
        os.chdir("/")
    figures = {"job": swept, "its training": watched.seconds[1:], "the bare training": bare}
    for name, seconds in figures.items():
        print(f"{name:18} {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")
    around = [job - fit for job, fit in zip(swept, watched.seconds[1:], strict=True)]
    print(f"overhead of a job  {statistics.median(around):.2f} s ({min(around):.2f} to {max(around):.2f})")


if __name__ == "__main__":
    main()
