"""The main path of a training, from config to scores."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from ganvas.config import ConfigError, build, check
from ganvas.display import stages_shown
from ganvas.models import Model
from ganvas.run.assembly import Parts, assemble, watch
from ganvas.run.callbacks.cuda_graphs import graphs_of
from ganvas.run.callbacks.own import own_callbacks
from ganvas.run.compatibility import final_sampling
from ganvas.run.deterministic import deterministic_algorithms, naming_the_operation
from ganvas.run.folder import alone_in
from ganvas.run.further import further_processes
from ganvas.run.gpus import answer_from_memory
from ganvas.run.memory import keep_freed_memory
from ganvas.run.refusals import refuse
from ganvas.run.request import Job, start_run
from ganvas.run.result import assess, conclude, keeping
from ganvas.run.resuming import AUTO, Resumed, content, origin_of, refuse_other_data, result_of_ended, resume
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Asked
from ganvas.scoring.references import own_reference
from ganvas.scoring.refitting import refitted, sampler_of
from ganvas.scoring.several import Measurements
from ganvas.scoring.subjects import ModelSubject
from ganvas.storage.best_effort import status
from ganvas.storage.checkpoints import load_weights, read
from ganvas.storage.store import Store
from ganvas.tracking.recorded import RESUMED_FROM_TAG


def train(cfg: DictConfig, job: Job) -> dict[str, Any]:
    """Train, log and score one model.

    Args:
        cfg: the composed config, root of ``conf/train.yaml``.
        job: the output folder and the command line.

    Returns:
        What ``result.json`` holds: run_id, name, checkpoint, images_seen, scores (of the final weights) with a
        protocol each, best, selection, gap, findings, output.

    Raises:
        ConfigError: parts that do not fit each other, or that differ from the checkpoint to resume.
        CheckpointError: a checkpoint that is missing or damaged.
        DataError: data that cannot be read.
        StoreError: an MLflow store that cannot be reached.
        NonFiniteError: a loss that became NaN or infinite.
        NotDeterministicError: an operation without a deterministic version under ``deterministic=true``.
        ScoringError: the trained model could not be scored; its checkpoint is kept.
    """
    silence()
    keep_freed_memory()
    answer_from_memory()
    is_auto = cfg.resume == AUTO
    cfg, job, resumed = resume(cfg, job)
    if is_auto and (result := result_of_ended(cfg, job, resumed)):
        return result
    check(cfg)
    refuse(cfg, job)
    with alone_in(job.output), deterministic_algorithms(bool(cfg.deterministic)):
        return _train(cfg, job, resumed)


def _train(cfg: DictConfig, job: Job, resumed: Resumed | None) -> dict[str, Any]:
    origin = origin_of(cfg, job, resumed)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    parts = assemble(cfg)
    trainer, own = make_trainer(cfg, job.output), own_callbacks(cfg)
    let_players_take_turns(trainer, parts.model)
    graphs = graphs_of(cfg, trainer, parts.model)
    now = _content(parts)
    if resumed is not None:
        _go_on(resumed, now, parts)
    before = None if resumed is None else (resumed.path.parent, resumed.images_seen)
    recipe = OmegaConf.to_yaml(cfg, resolve=True)
    status("opening the store")
    # Inside the run, so that the run's reason names the operation.
    with start_run(cfg, job, parts.data, before, recipe) as run, naming_the_operation(bool(cfg.deterministic)):
        watchers = watch(cfg, job, run, parts, recipe, {**origin, "run_id": run.id, "data": now})
        trainer.callbacks.extend([*watchers.callbacks, *graphs, *own])  # type: ignore[attr-defined]
        if resumed is not None and resumed.run_id not in ("", run.id):
            run.tags({RESUMED_FROM_TAG: resumed.run_id})
        with further_processes(trainer, recipe, job):
            trainer.fit(parts.model, parts.data, ckpt_path=resumed and resumed.path, weights_only=True)
        if not trainer.is_global_zero:
            return {}
        with keeping(run, job), naming_the_operation(bool(cfg.deterministic)), stages_shown(job.name):
            outcome = assess(_measure(cfg, job, parts), parts.model, watchers)
        return conclude(run, job, parts.model, outcome, cfg.tracking.parent)


def _content(parts: Parts) -> dict[str, str]:
    """Hash the data in the first process, which compares and records the hashes; the others return nothing."""
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]
        return {}
    return content(parts.data, labelled=parts.model.classes is not None)


def _go_on(resumed: Resumed, now: dict[str, str], parts: Parts) -> None:
    """Refuse weights and data that do not fit the checkpoint, before a run begins, and set the data to its position."""
    load_weights(parts.model, read(resumed.path), resumed.source)
    if now:
        refuse_other_data(resumed, now)
    parts.data.start = resumed.images_seen


def _measure(cfg: DictConfig, job: Job, parts: Parts) -> Callable[[], Found]:
    """Make the function that measures the model by the weights that it has when the function is called."""
    sampling = final_sampling(cfg)
    subject = ModelSubject(job.name, parts.model, lambda: parts.data, parts.model.images_seen, sampling=sampling)
    asked = Asked(parts.settings, cfg.score.n, cfg.score.seed)
    reference, cache = own_reference(subject), Store(Path(cfg.paths.cache).expanduser())
    sampler = sampler_of(cfg)  # fitted at each call, since codes depend on the weights
    return lambda: Measurements(refitted(subject, sampler), reference, parts.extractors, asked, cache).of_trained()


def make_trainer(cfg: DictConfig, folder: Path) -> pl.Trainer:
    """Make Lightning's trainer, without anything that the budget, our callbacks and MLflow do.

    Args:
        cfg: the composed config; its ``trainer`` node goes to Lightning as it is.
        folder: folder for files that Lightning writes.

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
        trainer = pl.Trainer(**build(cfg.trainer), **fixed, default_root_dir=folder)
    except (TypeError, ValueError, OverflowError, MisconfigurationException) as error:
        raise ConfigError(f"trainer: {error}; Lightning's Trainer says what it takes") from error
    _check_processes(cfg, trainer)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if not isinstance(callback, pl.Callback):
            raise ConfigError(f"trainer.callbacks: expected callbacks of Lightning, got {callback!r}")
    if cfg.trainer.get("profiler") is not None:  # else Lightning would only log what it measured, which is silenced
        profiler = trainer.profiler  # type: ignore[attr-defined]
        profiler.dirpath, profiler.filename = profiler.dirpath or folder, profiler.filename or "profile"
    return trainer


def _check_processes(cfg: DictConfig, trainer: pl.Trainer) -> None:
    """Refuse, before other processes start, what would end each of them."""
    processes, device = trainer.world_size, trainer.strategy.root_device
    if cfg.batch_size % processes:
        raise ConfigError(
            f"batch_size={cfg.batch_size}: the batch is shared out to {processes} processes, so it must be a multiple "
            f"of their number; write batch_size={max(1, cfg.batch_size // processes) * processes}"
        )
    if cfg.trainer.get("sync_batchnorm") and device.type == "cpu":
        raise ConfigError(
            "trainer.sync_batchnorm=true: PyTorch synchronises batch normalisation on GPUs only; leave it out, and "
            "each process normalises by its own part of the batch"
        )


def let_players_take_turns(trainer: pl.Trainer, model: Model) -> None:
    """Tell DDP that an update leaves the other players' weights without gradients, unless ``trainer.strategy`` does.

    Args:
        trainer: Lightning's trainer, of any strategy.
        model: the model that it will train.
    """
    strategy = trainer.strategy
    if isinstance(strategy, DDPStrategy) and len(model.players) > 1:
        strategy._ddp_kwargs.setdefault("find_unused_parameters", True)  # no public way once Lightning chose it


def silence() -> None:
    """Silence Lightning's messages and warnings that do not concern a run; its errors are exceptions."""
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.distributed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        "Found .* module.s. in eval mode",
        "`isinstance.treespec, LeafSpec.` is deprecated",
        ".*many workers",
        "The `srun` command is available",
    ):
        warnings.filterwarnings("ignore", message=message)
