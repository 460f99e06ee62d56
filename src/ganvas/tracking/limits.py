"""MLflow's limits on keys and values; a value that is cut says so."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlflow.entities import Param, RunTag
from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

CONFIG_FILE = "config.yaml"
"""Artifact with the whole resolved configuration."""
EXPERIMENT = 256
"""Characters of the name of an experiment that every database holds."""
_NAME = 250
"""Characters of the name of a run that every database holds."""


def key(name: str) -> str:
    """Turn a name into a key for MLflow: forbidden characters become ``_``, a name that is too long ends in its hash.

    Args:
        name: any text.
    """
    clean = re.sub(r"[^/\w.\- ]", "_", name).strip("/")
    clean = posixpath.normpath(clean).replace("..", "__")
    if len(clean) <= MAX_ENTITY_KEY_LENGTH:
        return clean
    return f"{clean[: MAX_ENTITY_KEY_LENGTH - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def name(text: str) -> str:
    """Cut the name of a run to what a database server holds; SQLite would hold any.

    Args:
        text: any text.
    """
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def unique_keys(names: Iterable[str]) -> dict[str, str]:
    """Turn names into keys; different names get different keys.

    Args:
        names: any texts, without repetition.

    Returns:
        The key of each name.
    """
    keys: dict[str, str] = {}
    for name in names:
        candidate = key(name)
        if candidate in keys.values():
            candidate = key(f"{candidate[: MAX_ENTITY_KEY_LENGTH - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}")
        keys[name] = candidate
    return keys


def shortened(text: str, limit: int, where: str) -> str:
    """Cut a text that is too long, and say which file has all of it.

    Args:
        text: any text.
        limit: largest number of characters of the result.
        where: name of the file with the whole text.
    """
    note = f"… (full value in {where})"
    return text if len(text) <= limit else text[: limit - len(note)] + note


def params(flat: Mapping[str, Any]) -> list[Param]:
    """Make MLflow's parameters of a flattened configuration.

    Args:
        flat: value by dotted name.
    """
    keys = unique_keys(flat)
    return [Param(keys[name], shortened(str(v), MAX_PARAM_VAL_LENGTH, CONFIG_FILE)) for name, v in flat.items()]


def tags(values: Mapping[str, Any], where: str = CONFIG_FILE) -> list[RunTag]:
    """Make MLflow's tags.

    Args:
        values: values by name.
        where: name of the file with the whole values.
    """
    return [RunTag(key(name), shortened(str(value), MAX_TAG_VAL_LENGTH, where)) for name, value in values.items()]
