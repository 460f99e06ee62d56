"""The parts of one training, built from the config and checked against each other, and the callbacks that watch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Int64
from omegaconf import DictConfig
from pytorch_lightning import Callback
from torch import Tensor

from ganvas.config import build_as
from ganvas.data.datamodule import DataModule
from ganvas.data.hold_out import hold_out
from ganvas.data.source import Source
from ganvas.data.transforms import Transform
from ganvas.extractors.base import Extractor
from ganvas.metrics.base import Settings
from ganvas.metrics.registry import frechet_name, metrics
from ganvas.metrics.registry import key as score_key
from ganvas.models import Model
from ganvas.run.callbacks.budget import Budget
from ganvas.run.callbacks.checkpoints import Checkpoints, KeepConfig
from ganvas.run.callbacks.grids import SampleGrids
from ganvas.run.callbacks.health import Health
from ganvas.run.callbacks.log_terms import LogTerms
from ganvas.run.callbacks.non_finite import StopWhenNotFinite
from ganvas.run.callbacks.persist_log import PersistLog
from ganvas.run.callbacks.posthoc_averages import PosthocAverages
from ganvas.run.callbacks.progress import ProgressLine
from ganvas.run.callbacks.scores import ScoreEvery
from ganvas.run.callbacks.selection import Selection
from ganvas.run.callbacks.whole_steps import WholeSteps
from ganvas.run.classes import fill_classes
from ganvas.run.compatibility import check_fit
from ganvas.run.freezing import freeze
from ganvas.run.rehearsal import rehearse_scores
from ganvas.run.request import Job
from ganvas.run.starting import start_at_marginals, warm_start
from ganvas.scoring.protocol import STREAMED, feature_protocol
from ganvas.scoring.settings import settings_from
from ganvas.scoring.several import build_extractors
from ganvas.scoring.streaming import StreamingScores
from ganvas.storage.best_effort import status
from ganvas.storage.checkpoints import BEST
from ganvas.tracking.artifacts import beside
from ganvas.tracking.run import Run
from ganvas.types import Batch

GRID_SEED: Final = 0
SCATTER_POINTS: Final = 2000
JUDGED: Final = 1000
"""Training and held-out examples that findings are made from: their standard error is 3% of the scores' spread."""


@final
@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one training.

    Args:
        data: the data to train on.
        model: the model to train.
        extractors: extract features for scores; without one no images are scored.
        settings: settings of the metrics.
    """

    data: DataModule
    model: Model
    extractors: tuple[Extractor, ...]
    settings: Settings


def assemble(cfg: DictConfig) -> Parts:
    """Build the parts, check that they fit each other, and give the model its first weights.

    Args:
        cfg: the composed config; its ``classes`` is filled in.

    Raises:
        ConfigError: parts that do not fit each other.
        DataError: data that cannot be read.
    """
    source, transform = build_as(Source, cfg.data), build_as(Transform, cfg.transform)
    status("reading the data")
    data = DataModule(source, transform, cfg.batch_size, cfg.seed, cfg.workers)
    data.prepare_data()
    fill_classes(cfg, data)
    status("building the networks")
    model = build_as(Model, cfg.model)
    extractors = build_extractors(cfg.extractor, torch.device("cpu"))
    settings = settings_from(cfg.score)
    check_fit(cfg, data, model, extractors)
    for extractor in extractors:
        rehearse_scores(cfg, data, extractor, settings)
    train = data.examples("train")
    model.learn_of(len(train), train.labels, _labelled(model, train.labels))
    if cfg.resume is None:  # else the checkpoint has the weights
        start_at_marginals(cfg, data, model)
        warm_start(cfg, model)
    freeze(cfg, model)
    return Parts(data, model, extractors, settings)


def _labelled(model: Model, labels: Int64[Tensor, " n"] | None) -> Int64[Tensor, " k"] | None:
    """Choose the training images that show their class, with each class in its share; None for all."""
    if model.labelled is None or labels is None or model.labelled == len(labels):
        return None
    return hold_out(len(labels), model.labelled, labels, argument="model.labelled")[1]


@final
@dataclass(frozen=True, eq=False)
class Watchers:
    """The callbacks that watch one training.

    Args:
        callbacks: all callbacks, in the order in which they are called.
        health: the callback that makes findings.
        selection: choice of the best checkpoint, or None.
        no_selection: reason why there is no choice, else empty.
    """

    callbacks: list[Callback]
    health: Health
    selection: Selection | None
    no_selection: str


def watch(cfg: DictConfig, job: Job, run: Run, parts: Parts, recipe: str, origin: Mapping[str, Any]) -> Watchers:
    """Make the callbacks; their order matters, because a NaN must be found before anything is written.

    Args:
        cfg: the composed config.
        job: the request.
        run: receives what the callbacks log.
        parts: the parts of the training.
        recipe: the resolved config as YAML, which the checkpoints keep.
        origin: facts that the checkpoints keep, see :func:`ganvas.run.resuming.origin_of`.
    """
    progress = ProgressLine(cfg.budget.images, job.name, about=f"data {parts.data.described()}")
    terms = LogTerms(run, cfg.log.every)
    health = Health(run, cfg.score.every, terms.history, *_judged(parts.data))
    missing = _no_selection(cfg, parts)
    selection = None if missing else _selection(cfg, job, parts)
    shown = _shown(cfg, parts.data)
    callbacks = [
        Budget(cfg.budget.images),
        StopWhenNotFinite(cfg.log.every),
        terms,
        *_averages(cfg, job, run),
        SampleGrids(run, cfg.grid.every, cfg.grid.rows, cfg.grid.columns, GRID_SEED, shown, job.output),
        progress,
        PersistLog(run),
        KeepConfig(recipe, origin),
        WholeSteps(),
        health,
        *_scoring(cfg, run, parts, progress, selection),
        Checkpoints(job.output, cfg.checkpoint.every, keep=0),
    ]
    return Watchers(callbacks, health, selection, missing)


def _averages(cfg: DictConfig, job: Job, run: Run) -> list[Callback]:
    kept, resume = cfg.get("ema"), cfg.resume  # a checkpoint of an older version has no such key
    if kept is None or not kept.sigmas:
        return []
    earlier: Callable[[str], Path | None] = lambda name: resume and beside(resume, name)  # noqa: E731
    return [PosthocAverages(run, kept.sigmas, kept.every, job.output, earlier)]


def _scoring(
    cfg: DictConfig, run: Run, parts: Parts, progress: ProgressLine, selection: Selection | None
) -> list[Callback]:
    if cfg.score.every is None or not parts.extractors:
        return []
    reference, streamed = parts.data.examples("val"), [StreamingScores(e, parts.settings) for e in parts.extractors]
    n, seed = cfg.score.n_during, cfg.score.seed_during
    return [ScoreEvery(run, cfg.score.every, reference, streamed, n, seed, progress.show_score, selection)]


def _no_selection(cfg: DictConfig, parts: Parts) -> str:
    """Reason why no best checkpoint is chosen; empty if one is."""
    if cfg.score.select is None:
        return "score.select=null"
    if not parts.extractors:
        return "extractor=none: images are not scored"
    if cfg.score.every is None:
        lacking = "" if "val" in parts.data.source.splits else f"; data={parts.data.source.name} has no val split"
        return f"score.every=null: nothing is scored in training{lacking}"
    return ""


def _selection(cfg: DictConfig, job: Job, parts: Parts) -> Selection:
    extractor, reference = parts.extractors[0], parts.data.examples("val")
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
    return Selection(score_key(extractor.name, metric), protocol, job.output, lambda: resume and beside(resume, BEST))


def _held_out(data: DataModule) -> str | None:
    return next((split for split in ("val", "test") if split in data.source.splits), None)


def _judged(data: DataModule) -> tuple[Batch, Batch | None]:
    """Training and held-out examples for findings."""
    held_out = _held_out(data)
    return data.some("train", JUDGED), None if held_out is None else data.some(held_out, JUDGED)


def _shown(cfg: DictConfig, data: DataModule) -> Batch:
    """Held-out examples for pictures; training examples if there are no others."""
    points = len(data.source.shape) == 1
    return data.some(_held_out(data) or "train", max(cfg.grid.rows * cfg.grid.columns, SCATTER_POINTS * points))
