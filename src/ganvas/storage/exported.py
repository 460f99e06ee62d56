"""Exported folders: a model as plain files that other people and programs can read.

``config.yaml`` is the config of the training, ``model.safetensors`` holds every weight, and ``export.json`` holds the
facts of the training with the SHA-256 of the two other files. No content is believed before the digest agrees, and
reading runs no code. :func:`read_model` gives an exported folder and a checkpoint the same shape.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ganvas.storage.atomic import write_atomically, write_json
from ganvas.storage.checkpoints import LAST, CheckpointError, read, read_origin
from ganvas.storage.special import special

CONFIG: Final = "config.yaml"
WEIGHTS: Final = "model.safetensors"
FACTS: Final = "export.json"
_ORIGIN: Final = ("run_id", "choices", "data")
"""What an export tells of its origin: not the folders and the command line of the person who trained it."""


def is_exported(path: Path) -> bool:
    """Whether a path is an exported folder; a folder with ``last.ckpt`` is the output of a training."""
    return (path / FACTS).is_file() and (path / WEIGHTS).is_file() and not (path / LAST).exists()


def write_exported(
    folder: Path, config: str, weights: Mapping[str, Tensor], images_seen: int, origin: Mapping[str, Any]
) -> None:
    """Write the config, the weights and the facts of a model.

    Args:
        folder: the exported folder; it is made if absent.
        config: the resolved config as YAML.
        weights: the model's state dict.
        images_seen: training images seen.
        origin: see :func:`~ganvas.storage.checkpoints.read_origin`.
    """
    # Copies, row by row: safetensors takes neither tensors that share memory nor those laid out channels last.
    content = {
        CONFIG: config.encode(),
        WEIGHTS: save({name: t.detach().cpu().contiguous().clone() for name, t in weights.items()}),
    }
    for name, data in content.items():
        write_atomically(folder / name, data)
    facts = {
        "images_seen": images_seen,
        "origin": {key: origin[key] for key in _ORIGIN if key in origin},
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in content.items()},
    }
    write_json(folder / FACTS, facts)


def read_model(path: Path) -> dict[str, Any]:
    """Read a checkpoint, or an exported folder in the shape of a checkpoint, onto the CPU.

    Args:
        path: file of a checkpoint, or exported folder.

    Returns:
        ``config`` (YAML), ``state_dict``, ``images_seen`` and ``origin``; a checkpoint has further entries.

    Raises:
        CheckpointError: there is neither, or it is damaged.
    """
    return _read_exported(path) if is_exported(path) else read(path)


def _read_exported(folder: Path) -> dict[str, Any]:
    facts = _facts(folder / FACTS)
    config, weights = (_verified(folder / name, facts["sha256"].get(name)) for name in (CONFIG, WEIGHTS))
    try:
        state = load(weights)
    except SafetensorError as error:
        raise CheckpointError(f"{folder / WEIGHTS} cannot be read: {error}; export the run again") from error
    return {
        "config": config.decode(errors="replace"),
        "state_dict": state,
        "images_seen": facts["images_seen"],
        "origin": read_origin({"origin": {key: facts["origin"][key] for key in _ORIGIN if key in facts["origin"]}}),
    }


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(_bytes(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON, so not a file of `ganvas export`; export the run again") from error
    for key, kind in {"images_seen": int, "origin": dict, "sha256": dict}.items():
        if not isinstance(facts, dict) or not isinstance(facts.get(key), kind):
            raise CheckpointError(f"{path} is not a file of `ganvas export`: it does not contain {key}")
    return facts


def _verified(path: Path, digest: object) -> bytes:
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{path} is not the file that was exported (its SHA-256 differs); export the run again")
    return content


def _bytes(path: Path) -> bytes:
    if found := special(path):
        raise CheckpointError(f"{path} is {found}, expected a file; it was not opened. Export the run again")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; export the run again") from error
