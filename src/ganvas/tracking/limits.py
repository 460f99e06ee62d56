"""What MLflow accepts as keys and values, and a visible way of staying within it: nothing is cut silently."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from mlflow.entities import Param, RunTag
from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH, MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

CONFIG_FILE = "config.yaml"
"""Artifact that holds the resolved configuration in full."""


def key(name: str) -> str:
    """``name`` with what MLflow refuses in a key replaced by ``_``; too long a name ends in a hash of the whole.

    Args:
        name: any text.
    """
    clean = re.sub(r"[^/\w.\- ]", "_", name).strip("/")
    clean = posixpath.normpath(clean).replace("..", "__")
    if len(clean) <= MAX_ENTITY_KEY_LENGTH:
        return clean
    return f"{clean[: MAX_ENTITY_KEY_LENGTH - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def unique_keys(names: Iterable[str]) -> dict[str, str]:
    """Keys of ``names``, different ones for different names.

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
    """``text``, or its beginning and where the whole stands.

    Args:
        text: any.
        limit: largest number of characters of the result.
        where: file that holds the whole.
    """
    note = f"… (full value in {where})"
    return text if len(text) <= limit else text[: limit - len(note)] + note


def params(flat: Mapping[str, Any]) -> list[Param]:
    """MLflow parameters of a flattened configuration.

    Args:
        flat: value by dotted name.
    """
    keys = unique_keys(flat)
    return [Param(keys[name], shortened(str(v), MAX_PARAM_VAL_LENGTH, CONFIG_FILE)) for name, v in flat.items()]


def tags(values: Mapping[str, Any], where: str = CONFIG_FILE) -> list[RunTag]:
    """MLflow tags.

    Args:
        values: by name.
        where: file that holds in full what is too long for a tag.
    """
    return [RunTag(key(name), shortened(str(value), MAX_TAG_VAL_LENGTH, where)) for name, value in values.items()]
