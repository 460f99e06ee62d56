"""Settings of metrics from a config, which only has to state values that differ from the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ganvas.config import ConfigError
from ganvas.metrics.base import Settings
from ganvas.metrics.registry import all_settings, settings_of


def settings_from(cfg: DictConfig) -> Settings:
    """Read all settings: those below ``settings``, and those in groups of single metrics, for example ``likelihood.k``.

    Args:
        cfg: config with a node ``settings``; missing groups have the default values.

    Raises:
        ConfigError: no metric has a setting of this name, or a value is out of range.
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
