"""Starting from what another run left: going on with it, or taking its weights."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from ganvas.config import ConfigError
from ganvas.data.datamodule import DataModule
from ganvas.models import Model
from ganvas.run.warm_start import load_parts
from ganvas.storage.checkpoints import read
from ganvas.tracking.artifacts import checkpoint_path


def warm_start(cfg: DictConfig, model: Model) -> None:
    """Take the weights of ``init_from``, whole or the networks that ``init_parts`` names.

    Args:
        cfg: the composed config.
        model: to be trained; its averaged weights begin anew from what was loaded.

    Raises:
        ConfigError: a part that one side lacks or that does not fit.
    """
    if cfg.init_from is None:
        return
    try:
        load_parts(
            {name: getattr(model, name) for name in model.parts},
            read(checkpoint_path(cfg.init_from))["state_dict"],
            cfg.init_parts,
        )
    except ValueError as error:
        raise ConfigError(f"init_from={cfg.init_from}: {error}") from error
    model.restart_averages()


def go_on(cfg: DictConfig, data: DataModule) -> Path | None:
    """The checkpoint to go on from, with the data set to its position; None for a fresh start.

    Args:
        cfg: the composed config.
        data: to be trained on.
    """
    if cfg.resume is None:
        return None
    path = checkpoint_path(cfg.resume)
    data.start = read(path)["images_seen"]
    return path
