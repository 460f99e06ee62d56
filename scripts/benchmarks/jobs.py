"""Measure the overhead of a job of a sweep beyond its training, from the second job on in one process.

``ganvas train -m`` runs a grid of equal VAEs on the embedded digits in this process, with an SQLite store, the default
settings and no scores, since their cost depends on their number of images. The script prints medians of

- a job: from the end of the previous job to its own end, by MLflow's clock;
- its training: ``Trainer.fit`` with all callbacks, ten grids, ten checkpoints and two hundred readings of the losses.
  The rest of a job, with MLflow's start and end, is its overhead;
- the bare training: the same data, model and batches under a Lightning trainer that only counts images. The difference
  between the two trainings is the cost of the callbacks.

And the time of sixteen short jobs with ``hydra/launcher=local``, a process for each core, against the same sixteen one
after the other in one process; the start of the processes is included.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_module
from mlflow.tracking import MlflowClient

from benchmarks.places import in_an_empty_folder
from benchmarks.rows import Found, Options, Part, Row, Skipped
from ganvas.cli import main as ganvas
from ganvas.config import build
from ganvas.data.datamodule import DataModule
from ganvas.run.callbacks.budget import Budget
from ganvas.tracking.store import tracking_uri

STUDY, IMAGES = "overhead", 64_000
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


def overhead(options: Options) -> dict[str, Found]:
    """Run the sweep and the bare trainings; subtract trainings from jobs, and bare trainings from trainings."""
    torch.set_num_threads(options.threads)
    with in_an_empty_folder(), Stopwatch() as watched:
        swept = jobs(IMAGES, options.rounds + 1)
        bare = [training(IMAGES) for _ in swept]
    around = [job - fit for job, fit in zip(swept, watched.seconds[1:], strict=False)]
    inside = [fit - alone for fit, alone in zip(watched.seconds[1:], bare, strict=False)]
    return {"job_overhead": Found(around, "s"), "job_callbacks": Found(inside, "s", f"{IMAGES:,} images")}


def at_once(options: Options) -> dict[str, Found]:
    """Run sixteen jobs by the launcher ``local`` and one after the other."""
    if (
        importlib.util.find_spec("joblib") is None
        or importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None
    ):
        raise Skipped("hydra/launcher=local needs ganvas[joblib]")
    ratios, note = [], ""
    for _ in range(options.rounds):
        together, apart = (_sixteen(extra, options) for extra in (["hydra/launcher=local"], []))
        ratios.append(together / apart)
        note = f"{together:.0f} against {apart:.0f} s"
    return {"sixteen_jobs": Found(ratios, "x", note)}


def _sixteen(extra: list[str], options: Options) -> float:
    rates = ",".join(f"{1e-4 + i * 1e-6:.6f}" for i in range(16))
    line = ["model=gan", "network=dcgan", "budget.images=12_000", "score.every=null", "extractor=none"]
    line += ["tracking.system_metrics=false", f"optimizer.lr={rates}", "study=sixteen", *extra]
    threads = {} if extra else {"OMP_NUM_THREADS": str(options.threads)}
    with in_an_empty_folder():
        start = time.perf_counter()
        command = [sys.executable, "-m", "ganvas", "train", "-m", *line]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **threads})
        return time.perf_counter() - start


PARTS = (
    Part("job_overhead", (Row("job_overhead", "", 0.35), Row("job_callbacks", "", None)), overhead),
    Part("sixteen_jobs", (Row("sixteen_jobs", "one after the other", 0.75),), at_once),
)
