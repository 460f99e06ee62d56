"""``ganvas train``: one run, from config to scores, top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ganvas.checkpoints import go_on, warm_start
from ganvas.compatibility import check_fit
from ganvas.config import CONFIG_PATH, build, check
from ganvas.data.datamodule import DataModule
from ganvas.evaluation import final_scores
from ganvas.models import Model
from ganvas.recording import Job, callbacks, conclude, start_run


@hydra.main(config_path=CONFIG_PATH, config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Hydra's entry: one job, alone or of a sweep."""
    hydra_config = HydraConfig.get()
    output, choices = Path(hydra_config.runtime.output_dir), dict(hydra_config.runtime.choices)
    train(cfg, Job(output, choices, list(hydra_config.overrides.task)))


def train(cfg: DictConfig, job: Job) -> dict[str, Any]:
    """Train, log and score one model.

    Args:
        cfg: the composed config, root of ``conf/train.yaml``.
        job: its output folder, and what was asked for on the command line.

    Returns:
        What ``result.json`` holds: run_id, name, checkpoint, images_seen, scores, protocol, fingerprint, output.

    Raises:
        ConfigError: parts that do not fit each other.
        DataError: data that cannot be read.
        StoreError: an MLflow store that cannot be reached.
        NonFiniteError: a loss that became NaN or infinite.
    """
    check(cfg)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = DataModule(build(cfg.data), build(cfg.transform), cfg.batch_size, cfg.seed, cfg.workers)
    data.prepare_data()
    model: Model = build(cfg.model)
    extractor, settings = build(cfg.extractor) or None, build(cfg.score.settings)
    check_fit(cfg, data, model, extractor)
    warm_start(cfg, model)
    with start_run(cfg, job, data) as run:
        watchers = callbacks(cfg, job, run, data, extractor, settings)
        trainer = make_trainer(cfg, watchers, job.output)
        trainer.fit(model, data, ckpt_path=go_on(cfg, data), weights_only=True)
        if not trainer.is_global_zero:
            return {}
        scored = final_scores(model, data, extractor, settings, cfg.score.n, cfg.score.seed)
        return conclude(run, job, model, scored)


def make_trainer(cfg: DictConfig, watchers: list[pl.Callback], folder: Path) -> pl.Trainer:
    """Lightning's trainer, with everything off that the budget, our callbacks and MLflow do.

    Args:
        cfg: the composed config; its ``trainer`` node goes to Lightning as it is.
        watchers: the callbacks.
        folder: where Lightning writes if it must.
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
    return pl.Trainer(**build(cfg.trainer), **fixed, callbacks=watchers, default_root_dir=folder)


if __name__ == "__main__":
    main()
