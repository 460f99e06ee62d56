"""The main path: one run, from config to scores, top to bottom."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from ganvas.config import ConfigError, build, check
from ganvas.data.datamodule import DataModule
from ganvas.models import Model
from ganvas.run.checkpoints import go_on, warm_start
from ganvas.run.compatibility import check_fit
from ganvas.run.marginals import start_at_marginals
from ganvas.run.memory import keep_freed_memory
from ganvas.run.recording import Job, Parts, start_run, watch
from ganvas.run.result import assess, conclude
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Asked, Measurement
from ganvas.scoring.references import own_reference
from ganvas.scoring.settings import settings_from
from ganvas.scoring.subjects import ModelSubject
from ganvas.storage.store import Store


def train(cfg: DictConfig, job: Job) -> dict[str, Any]:
    """Train, log and score one model.

    Args:
        cfg: the composed config, root of ``conf/train.yaml``.
        job: its output folder, and what was asked for on the command line.

    Returns:
        What ``result.json`` holds: run_id, name, checkpoint, images_seen, scores (of the final weights) with a
        protocol each, best, selection, gap, findings, output.

    Raises:
        ConfigError: parts that do not fit each other.
        DataError: data that cannot be read.
        StoreError: an MLflow store that cannot be reached.
        NonFiniteError: a loss that became NaN or infinite.
    """
    _silence()
    keep_freed_memory()
    check(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, cfg.workers)
    data.prepare_data()
    model: Model = build(cfg.model)
    extractor, settings = build(cfg.extractor) or None, settings_from(cfg.score)
    check_fit(cfg, data, model, extractor)
    model.learn_of(len(data.examples("train")), data.examples("train").labels)
    start_at_marginals(cfg, data, model)
    warm_start(cfg, model)
    trainer = make_trainer(cfg, job.output)
    with start_run(cfg, job, data) as run:
        watchers = watch(cfg, job, run, Parts(data, model, extractor, settings))
        trainer.callbacks.extend(watchers.callbacks)  # type: ignore[attr-defined]
        trainer.fit(model, data, ckpt_path=go_on(cfg, data), weights_only=True)
        if not trainer.is_global_zero:
            return {}
        subject, asked = (
            ModelSubject(job.name, model, data, model.images_seen),
            Asked(settings, cfg.score.n, cfg.score.seed),
        )
        cache = Store(Path(cfg.paths.cache).expanduser())
        reference = own_reference(subject)

        def measure() -> Found:
            return Measurement(subject, reference, extractor, asked, cache).of_trained()

        return conclude(run, job, model, assess(measure, model, watchers))


def make_trainer(cfg: DictConfig, folder: Path) -> pl.Trainer:
    """Lightning's trainer, with everything off that the budget, our callbacks and MLflow do.

    Args:
        cfg: the composed config; its ``trainer`` node goes to Lightning as it is.
        folder: where Lightning writes if it must.

    Raises:
        ConfigError: Lightning refuses an argument.
    """
    fixed: dict[str, Any] = {
        "max_epochs": 1,  # the stream of batches never ends: one epoch is the whole training
        "limit_val_batches": 0,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    try:
        return pl.Trainer(**build(cfg.trainer), **fixed, default_root_dir=folder)
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise ConfigError(f"trainer: {error}; Lightning's Trainer says what it takes") from error


def _silence() -> None:
    """Keep back what Lightning says of itself and what does not concern a run; its errors still come as exceptions."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    for message in (
        "Found .* module.s. in eval mode",
        "`isinstance.treespec, LeafSpec.` is deprecated",
        ".*many workers",
    ):
        warnings.filterwarnings("ignore", message=message)
