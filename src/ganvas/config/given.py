"""What a command line gives, and which values of a config follow the budget."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

_FOLLOWS: Final = re.compile(r"\$\{(share:[^{}]*|budget\.images)\}")


def given_keys(overrides: Sequence[str]) -> dict[str, str]:
    """Map the key of each override to the override: ``optimizer.lr``, ``model``, ``schedule@schedules.objective.beta``.

    Args:
        overrides: arguments of the command line in Hydra's grammar.
    """
    found = {}
    for parsed in OverridesParser.create().parse_overrides(list(overrides)):
        key = parsed.key_or_group if parsed.package is None else f"{parsed.key_or_group}@{parsed.package}"
        found[key] = parsed.input_line or ""
    return found


def following_budget(cfg: DictConfig) -> dict[str, str]:
    """Find the values that a composed config derives from the budget, as ``{"log.every": "${share:0.005}"}``.

    Args:
        cfg: a config whose interpolations are not resolved.
    """
    written: Any = OmegaConf.to_container(cfg, resolve=False)
    return {key: value for key, value in _leaves(written) if isinstance(value, str) and _FOLLOWS.fullmatch(value)}


def followed(cfg: DictConfig, written: str) -> int:
    """Compute a value of :func:`following_budget` for the budget of another config.

    Args:
        cfg: the config with the budget.
        written: the value as it was written.
    """
    assert _FOLLOWS.fullmatch(written), written
    other = OmegaConf.create({"budget": cfg.budget, "batch_size": cfg.batch_size, "value": written})
    return int(other.value)


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
