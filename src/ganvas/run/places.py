"""Places that a config names, recorded so that another working folder finds them, and moved together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from ganvas.nested import leaves

_OF_DATA: Final = ("path", "root")
"""Names of the keys, at any depth below ``data``, that hold a path."""
_PATH_OR_NAME: Final = ("init_from", "extractor.weights")
"""Keys that hold a path, or the id of a run or another name."""


def absolute(cfg: DictConfig) -> DictConfig:
    """Copy a config, resolved and with absolute paths of everything that a training reads.

    The folders that it writes to stay as they are, so that a rerun elsewhere writes nothing to the old place.

    Args:
        cfg: the composed config.
    """
    values: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    config = OmegaConf.create(values)
    for key, value in _read(config):
        OmegaConf.update(config, key, str(Path(value).expanduser().absolute()))
    return config


def moved(old: DictConfig, folder: str) -> dict[str, Any]:
    """Make the values, by key, that put the data of a config into another folder.

    Args:
        old: a config without interpolations; what lies in its ``paths.data`` moves.
        folder: the new ``paths.data``.
    """
    values: dict[str, Any] = {"paths.data": folder}
    for key, value in _data(old):
        if isinstance(value, str) and Path(old.paths.data) in (Path(value), *Path(value).parents):
            values[key] = str(Path(folder) / Path(value).relative_to(old.paths.data))
    return values


def _read(config: DictConfig) -> Iterator[tuple[str, str]]:
    yield "paths.data", config.paths.data
    for key, value in _data(config):
        if key.rpartition(".")[2] in _OF_DATA and isinstance(value, str):
            yield key, value
    for key in _PATH_OR_NAME:
        value = OmegaConf.select(config, key)
        if isinstance(value, str) and Path(value).exists():
            yield key, value


def _data(config: DictConfig) -> list[tuple[str, Any]]:
    data: dict[str, Any] = OmegaConf.to_container(config.data)  # type: ignore[assignment]
    return list(leaves(data, "data."))
