"""What a run tells MLflow: where it comes from, what it is made of, what happens in it, what comes out."""

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
from ganvas.evaluation import Scored
from ganvas.identity import PLACES, configuration_hash, job_hash
from ganvas.metrics.extractor import Extractor
from ganvas.metrics.settings import MetricSettings
from ganvas.models import Model
from ganvas.tracking.budget import Budget
from ganvas.tracking.checkpoints import LAST, Checkpoints
from ganvas.tracking.hierarchy import CONFIGURATION_TAG, LABEL_TAG, PARENT_TAG, ROLE, RUN
from ganvas.tracking.log_terms import LogTerms
from ganvas.tracking.non_finite import StopWhenNotFinite
from ganvas.tracking.progress import ProgressLine
from ganvas.tracking.provenance import git_state, machine, versions
from ganvas.tracking.run import TrackedRun
from ganvas.tracking.sample_grids import SampleGrids
from ganvas.tracking.score_every import ScoreEvery
from ganvas.tracking.silent import SilentRun
from ganvas.tracking.whole import write_whole

GRID_SEED = 0
SCATTER_POINTS = 2000


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
def start_run(cfg: DictConfig, job: Job, data: DataModule) -> Iterator[TrackedRun | SilentRun]:
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
    with TrackedRun.start(cfg.tracking.experiment, job.name, tags, run_id=run_id, system_metrics=system) as run:
        run.params(flat(cfg))
        run.text("config.yaml", OmegaConf.to_yaml(cfg, resolve=True))
        run.text("provenance.json", json.dumps({"versions": versions(), "machine": machine()}, indent=2))
        if diff := git_state(Path.cwd()).get("diff"):
            run.text("git.diff", diff)
        for split, fingerprint in data.fingerprints().items():
            run.dataset(data.source.name, fingerprint, split, data.source.shape, len(data.examples(split)))
        run.flush()
        yield run


def callbacks(
    cfg: DictConfig,
    job: Job,
    run: TrackedRun | SilentRun,
    data: DataModule,
    extractor: Extractor | None,
    settings: MetricSettings,
) -> list[Callback]:
    """What watches the training, in the order it is called: a NaN is found before anything is written."""
    progress = ProgressLine(cfg.budget.images, job.name)
    held_out = next(split for split in ("val", "test", "train") if split in data.source.splits)
    n = min(len(data.examples(held_out)), max(cfg.grid.rows * cfg.grid.columns, SCATTER_POINTS * _is_points(data)))
    shown = torch.cat(list(data.held_out(held_out, n, n)))
    watchers = [
        Budget(cfg.budget.images),
        StopWhenNotFinite(cfg.log.every),
        LogTerms(run, cfg.log.every),
        SampleGrids(run, cfg.grid.every, cfg.grid.rows, cfg.grid.columns, GRID_SEED, shown, job.output),
        progress,
        KeepConfig(OmegaConf.to_yaml(cfg, resolve=True)),
    ]
    if cfg.score.every is not None and extractor is not None:
        show = progress.show_score
        watchers.append(
            ScoreEvery(run, cfg.score.every, data, extractor, settings, cfg.score.n_during, cfg.score.seed, show)
        )
    return [*watchers, Checkpoints(job.output, cfg.checkpoint.every, keep=0)]


def conclude(run: TrackedRun | SilentRun, job: Job, model: Model, scored: Scored) -> dict[str, Any]:
    """Log the scores, the checkpoint and ``result.json``.

    Args:
        run: where to.
        job: which run.
        model: trained.
        scored: its scores.

    Returns:
        What ``result.json`` holds.
    """
    run.metrics({key: score.value for key, score in scored.scores.items()}, step=model.images_seen)
    if scored.protocol is not None:
        run.tags({"ganvas.protocol": scored.protocol.fingerprint()})
    checkpoint = job.output / LAST
    result = {
        "run_id": run.id,
        "name": job.name,
        "checkpoint": str(checkpoint.absolute()),
        "images_seen": model.images_seen,
        **scored.as_dict(),
        "output": str(job.output.absolute()),
    }
    path = job.output / "result.json"
    write_whole(path, json.dumps(result, indent=2) + "\n")
    run.artifact(path)
    run.artifact(checkpoint, "checkpoints")
    return result


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
        "ganvas.seed": cfg.seed,
        "ganvas.study": cfg.study or "",
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


def _is_points(data: DataModule) -> bool:
    return len(data.source.shape) == 1
