"""Places of data and weights in a recorded config: where the old training found them, and where they are now."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

from ganvas.nested import leaves

_PARTS: Final = ("data", "extractor")
_PATHS: Final = ("path", "root", "weights")
"""Names of the keys, at any depth below the parts, that hold a path."""


def from_its_folder(config: DictConfig, folder: str | None) -> DictConfig:
    """Make relative paths absolute that exist in the folder of the old training and not here.

    Args:
        config: config of an old training, without interpolations.
        folder: working folder of that training; None if it is not known.

    Returns:
        A copy with these paths changed.
    """
    found = deepcopy(config)
    if folder is None:
        return found
    for key, value in _places(config):
        there = Path(folder, value)  # an absolute path stays what it is
        if there.exists() and not Path(value).exists():
            OmegaConf.update(found, key, str(there))
    return found


def moved(old: DictConfig, folder: str) -> dict[str, str]:
    """Make the values, by key, that put the data of a config into another folder.

    Args:
        old: a config without interpolations; what lies in its ``paths.data`` moves.
        folder: the new ``paths.data``.
    """
    now, before = {"paths.data": folder}, Path(old.paths.data)
    for key, value in _places(old):
        if key.startswith("data.") and before in (Path(value), *Path(value).parents):
            now[key] = str(Path(folder) / Path(value).relative_to(before))
    return now


def _places(config: DictConfig) -> list[tuple[str, str]]:
    """Keys and values of all paths that a training reads."""
    values: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
    found = [item for part in _PARTS if isinstance(values.get(part), dict) for item in leaves(values[part], f"{part}.")]
    found = [(key, value) for key, value in found if key.rpartition(".")[2] in _PATHS]
    return [(key, value) for key, value in [*found, ("init_from", values.get("init_from"))] if isinstance(value, str)]
