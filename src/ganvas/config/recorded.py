"""Configs that come from a file or a run instead of the command line."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ganvas.config.build import ConfigError


def recorded_config(text: Any, source: str) -> DictConfig:
    """Read the resolved config of a training; the one way in for every config that was not composed here.

    Args:
        text: the config as YAML, from a checkpoint or a run.
        source: the file or run, for the message.

    Raises:
        ConfigError: there is no such config.
    """
    if not isinstance(text, str):
        raise ConfigError(f"{source}: the checkpoint holds no config, so its model cannot be built; train it again")
    try:
        config = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{source}: its config cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(config, DictConfig):
        raise ConfigError(f"{source}: its config is a list, expected keys and values")
    return config
