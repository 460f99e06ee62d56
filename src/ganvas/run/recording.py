"""What a run tells MLflow: where it comes from, what it is made of, what happens in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_only

from ganvas.data.datamodule import DataModule
from ganvas.extractors.base import Extractor
from ganvas.metrics.base import Settings
from ganvas.metrics.registry import frechet_name, metrics
from ganvas.metrics.registry import key as score_key
from ganvas.models import Model
from ganvas.run.callbacks.budget import Budget
from ganvas.run.callbacks.checkpoints import Checkpoints
from ganvas.run.callbacks.grids import SampleGrids
from ganvas.run.callbacks.health import Health
from ganvas.run.callbacks.log_terms import LogTerms
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.callbacks.progress import ProgressLine
from ganvas.run.callbacks.scores import ScoreEvery
from ganvas.run.callbacks.selection import Selection
from ganvas.run.identity import PLACES, configuration_hash, job_hash
from ganvas.scoring.protocol import STREAMED, feature_protocol
from ganvas.scoring.streaming import StreamingScores
from ganvas.tracking.artifacts import best_beside
from ganvas.tracking.cost import booked
from ganvas.tracking.hierarchy import CONFIGURATION_TAG, LABEL_TAG, PARENT_TAG, ROLE, RUN, SEED_TAG, STUDY_TAG
from ganvas.tracking.mlflow_run import MlflowRun
from ganvas.tracking.provenance import git_state, machine, versions
from ganvas.tracking.run import Run, SilentRun
from ganvas.types import Batch

GRID_SEED = 0
SCATTER_POINTS = 2000
JUDGED = 1000
"""Examples of either side that findings are made from: a standard error of 3% of the scores' spread."""


@dataclass(frozen=True)
class Job:
    """One run of one configuration, as Hydra was asked for it.

    Args:
        output: folder for the checkpoint, the pictures and ``result.json``.
        choices: what each config group was set to.
        overrides: the command line.
    """

    output: Path
    choices: dict[str, str]
    overrides: list[str]

    @property
    def name(self) -> str:
        """Model, data and network, then every override that is not one of these."""
        parts = [self.choices[group] for group in ("model", "data", "network")]
        keys = [o.partition("=")[0] for o in self.overrides]
        rest = [o for o, k in zip(self.overrides, keys, strict=True) if k not in UNNAMED and k not in PLACES]
        return " ".join(parts + rest)


UNNAMED = {"model", "data", "network", "experiment", "study", "paths.output", "sweep", "resume"}


class KeepConfig(Callback):
    """Puts the resolved config into every checkpoint, so that the model can be built again from the file alone.

    Args:
        config: as YAML.
    """

    def __init__(self, config: str) -> None:
        self._config = config

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Lightning's hook."""
        checkpoint["config"] = self._config


@contextmanager
def start_run(cfg: DictConfig, job: Job, data: DataModule) -> Iterator[Run]:
    """An MLflow run for the length of the block, with all that is known before training; silent on ranks but the first.

    Args:
        cfg: the composed config.
        job: which run.
        data: what is trained on.
    """
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        yield SilentRun()
        return
    tags = _tags(cfg, job)
    system = cfg.tracking.system_metrics
    run_id = cfg.tracking.run_id
    with MlflowRun.start(cfg.tracking.experiment, job.name, tags, run_id=run_id, system_metrics=system) as run:
        run.params(flat(cfg))
        run.text("config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        run.text("provenance.json", json.dumps({"versions": versions(), "machine": machine()}, indent=2))
        if diff := git_state(Path.cwd()).get("diff"):
            run.text("git.diff", diff)
        for split, fingerprint in data.fingerprints().items():
            run.dataset(data.source.name, fingerprint, split, data.source.shape, len(data.examples(split)))
        run.flush()
        with booked(run, _gpus(cfg)):
            yield run


def _gpus(cfg: DictConfig) -> int:
    """Devices that the run's processes use together; 0 on processors."""
    if cfg.trainer.accelerator not in ("auto", "gpu", "cuda") or not torch.cuda.is_available():
        return 0
    devices = cfg.trainer.devices
    return len(devices) if OmegaConf.is_list(devices) else int(devices) if str(devices).isdigit() else 1


@dataclass(frozen=True, eq=False)
class Parts:
    """What a run is made of.

    Args:
        data: what is trained on.
        model: what is trained.
        extractor: of features; None scores no images.
        settings: of the metrics.
    """

    data: DataModule
    model: Model
    extractor: Extractor | None
    settings: Settings


@dataclass(frozen=True, eq=False)
class Watchers:
    """What watches a training.

    Args:
        callbacks: all of them, in the order they are called.
        health: of them, the one that judges.
        selection: of the best checkpoint, or None.
        no_selection: why there is none, else empty.
    """

    callbacks: list[Callback]
    health: Health
    selection: Selection | None
    no_selection: str


def watch(cfg: DictConfig, job: Job, run: Run, parts: Parts) -> Watchers:
    """What watches the training, in the order it is called: a NaN is found before anything is written.

    Args:
        cfg: the composed config.
        job: which run.
        run: where to log.
        parts: what the run is made of.
    """
    progress = ProgressLine(cfg.budget.images, job.name)
    terms = LogTerms(run, cfg.log.every)
    health = Health(run, cfg.score.every, terms.history, *_judged(parts.data))
    missing = _no_selection(cfg, parts)
    selection = None if missing else _selection(cfg, job, parts)
    shown = _shown(cfg, parts.data)
    callbacks = [
        Budget(cfg.budget.images),
        StopWhenNotFinite(cfg.log.every),
        terms,
        SampleGrids(run, cfg.grid.every, cfg.grid.rows, cfg.grid.columns, GRID_SEED, shown, job.output),
        progress,
        KeepConfig(OmegaConf.to_yaml(cfg, resolve=True)),
        health,
        *_scoring(cfg, run, parts, progress, selection),
        Checkpoints(job.output, cfg.checkpoint.every, keep=0),
    ]
    return Watchers(callbacks, health, selection, missing)


def _scoring(
    cfg: DictConfig, run: Run, parts: Parts, progress: ProgressLine, selection: Selection | None
) -> list[Callback]:
    if cfg.score.every is None or parts.extractor is None:
        return []
    reference, streamed = parts.data.examples("val"), StreamingScores(parts.extractor, parts.settings)
    n, seed = cfg.score.n_during, cfg.score.seed_during
    return [ScoreEvery(run, cfg.score.every, reference, streamed, n, seed, progress.show_score, selection)]


def _no_selection(cfg: DictConfig, parts: Parts) -> str:
    """Why no best checkpoint is chosen; empty where one is."""
    if cfg.score.select is None:
        return "score.select=null"
    if parts.extractor is None:
        return "extractor=none: images are not scored"
    if cfg.score.every is None:
        lacking = "" if "val" in parts.data.source.splits else f"; data={parts.data.source.name} has no val split"
        return f"score.every=null: nothing is scored in training{lacking}"
    return ""


def _selection(cfg: DictConfig, job: Job, parts: Parts) -> Selection:
    extractor, reference = parts.extractor, parts.data.examples("val")
    assert extractor is not None
    metric = frechet_name(extractor.name) if cfg.score.select == "fd" else cfg.score.select
    protocol = feature_protocol(
        extractor,
        metrics()[metric],
        parts.settings,
        reference=parts.data.source.name,
        reference_fingerprint=reference.fingerprint(),
        split="val",
        n_real=len(reference),
        n_fake=cfg.score.n_during,
        weights=parts.model.weights,
        sample_seed=cfg.score.seed_during,
        library=STREAMED,
    )
    resume = cfg.resume
    return Selection(score_key(extractor.name, metric), protocol, job.output, lambda: resume and best_beside(resume))


def _held_out(data: DataModule) -> str | None:
    return next((split for split in ("val", "test") if split in data.source.splits), None)


def _judged(data: DataModule) -> tuple[Batch, Batch | None]:
    """Training and held-out examples for findings."""
    held_out = _held_out(data)
    return data.some("train", JUDGED), None if held_out is None else data.some(held_out, JUDGED)


def _shown(cfg: DictConfig, data: DataModule) -> Batch:
    """Held-out examples for pictures."""
    points = len(data.source.shape) == 1
    return data.some(_held_out(data) or "train", max(cfg.grid.rows * cfg.grid.columns, SCATTER_POINTS * points))


def flat(cfg: DictConfig, prefix: str = "") -> dict[str, Any]:
    """The config by dotted key, each value once: a node that only points to another is left to that other.

    Args:
        cfg: a mapping node.
        prefix: of its keys.
    """
    values: dict[str, Any] = {}
    for key in map(str, cfg):
        value, pointer = cfg[key], OmegaConf.is_interpolation(cfg, key)
        if not isinstance(value, DictConfig):
            values[f"{prefix}{key}"] = value
        elif not pointer:
            values |= flat(value, f"{prefix}{key}.")
    return values


def _tags(cfg: DictConfig, job: Job) -> dict[str, Any]:
    git = git_state(Path.cwd())
    return {
        **{f"ganvas.{group}": job.choices[group] for group in ("model", "data", "network")},
        SEED_TAG: cfg.seed,
        STUDY_TAG: cfg.study or "",
        "ganvas.config_hash": job_hash(cfg),
        CONFIGURATION_TAG: configuration_hash(cfg),
        **_place(cfg),
        "ganvas.overrides": " ".join(job.overrides),
        "ganvas.output": str(job.output.absolute()),
        "ganvas.git_commit": git.get("commit", ""),
        "ganvas.git_dirty": git.get("dirty", ""),
    }


def _place(cfg: DictConfig) -> dict[str, Any]:
    """Where a run of a sweep belongs."""
    if cfg.tracking.parent is None:
        return {}
    return {ROLE: RUN, PARENT_TAG: cfg.tracking.parent, LABEL_TAG: cfg.tracking.label or ""}
