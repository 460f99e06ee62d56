"""Settings of metrics as a config states them: only what differs from the shipped values need be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError
from ganvas.metrics.base import Settings
from ganvas.metrics.registry import all_settings, settings_of


def settings_from(cfg: DictConfig) -> Settings:
    """All settings: those below ``settings``, and below the groups of single metrics, as ``likelihood.k``.

    Args:
        cfg: with a node ``settings``; groups that it lacks have the shipped values.

    Raises:
        ConfigError: a name that no metric has, or a value out of range.
    """
    groups = dict.fromkeys(s.name.partition(".")[0] for s in all_settings() if "." in s.name)
    stated = _plain("settings", cfg.settings)
    for group in groups:
        stated |= {f"{group}.{name}": value for name, value in _plain(group, cfg.get(group)).items()}
    try:
        return settings_of(stated)
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error)) from error


def _plain(group: str, node: Any) -> dict[str, Any]:
    values = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    if not isinstance(values, Mapping | None):
        raise ConfigError(f"{group}={values}: expected settings by name; write {group}.NAME=VALUE")
    return {str(name): value for name, value in (values or {}).items()}
