"""Files that a recorded config names by relative paths: they are meant from the folder where the config was written."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Final

from omegaconf import DictConfig, OmegaConf

from ganvas.nested import leaves

_PARTS: Final = ("data", "extractor")
_PATHS: Final = ("path", "root", "weights")


def from_its_folder(config: DictConfig, folder: str | None) -> DictConfig:
    """Make relative paths of data and weights absolute that exist in the folder of the old training and not here.

    Args:
        config: config of an old training, without interpolations.
        folder: working folder of that training; None if it is not known.

    Returns:
        A copy with these paths changed.
    """
    found = deepcopy(config)
    if folder is None:
        return found
    for part in _PARTS:
        node = found.get(part)
        values = OmegaConf.to_container(node) if isinstance(node, DictConfig) else {}
        assert isinstance(values, dict)
        for key, value in leaves({str(name): child for name, child in values.items()}, f"{part}."):
            if key.rpartition(".")[2] in _PATHS and isinstance(value, str) and _only_in(folder, value):
                OmegaConf.update(found, key, str(Path(folder, value)))
    return found


def _only_in(folder: str, path: str) -> bool:
    return not Path(path).is_absolute() and not Path(path).exists() and Path(folder, path).exists()
