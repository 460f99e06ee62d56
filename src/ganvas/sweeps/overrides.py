"""Reading what was asked for on a command line, as MLflow's tags keep it: ``model=gan optimizer.lr=0.001``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PLACELESS = ("seed", "study", "resume", "hydra", "paths", "tracking", "workers", "log", "grid", "checkpoint")
"""Roots of keys that decide no score."""

_BETWEEN = re.compile(r"\s+(?=[+~]{0,2}[\w./@]+=)")


def split_overrides(text: str) -> dict[str, str]:
    """Value by key.

    Args:
        text: overrides, separated by spaces; values may hold spaces.
    """
    pairs = (part.partition("=") for part in _BETWEEN.split(text.strip()) if "=" in part)
    return {key.lstrip("+~"): value for key, _, value in pairs}


def decides(key: str) -> bool:
    """Whether a key of the config can change a score (a seed changes which of its draws is seen)."""
    return key.split(".")[0] not in PLACELESS


def join_overrides(values: Mapping[str, str]) -> str:
    """The inverse of :func:`split_overrides`."""
    return " ".join(f"{key}={value}" for key, value in values.items())


def swept(configurations: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys whose values differ among configurations (absent counts as a value), in order of appearance.

    Args:
        configurations: overrides of each.
    """
    keys = dict.fromkeys(key for values in configurations for key in values)
    return [key for key in keys if len({values.get(key) for values in configurations}) > 1]
