"""Objects from configs: checks before anything is built, and :func:`build`.

``instantiate`` refuses an argument that the class named by ``_target_`` does not know.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

import hydra.utils
from omegaconf import DictConfig, OmegaConf

_ADVICE = ", set env var HYDRA_FULL_ERROR=1 to see chained exception."


class ConfigError(Exception):
    """A config that cannot be run; one message says why."""

    exit_code = 2


def build(node: DictConfig) -> Any:
    """Build the object that a config node describes; containers arrive as plain lists and dicts.

    Raises:
        ConfigError: the node's class does not know an argument, or refuses its value; the message is its own.
    """
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, (TypeError, ImportError, AttributeError)):
            raise ConfigError(" ".join(str(error).replace(_ADVICE, "").split())) from error
        if isinstance(cause, ValueError):
            raise ConfigError(str(cause)) from error
        raise cause from None  # the wrapper's own cause is this error: chained to it, the chain would never end


def check(cfg: DictConfig) -> None:
    """Refuse a config that lacks a value, or whose network lacks a part, before anything is built.

    Raises:
        ConfigError: a value is missing, or the network lacks a part that the model needs.
    """
    offered = [str(part) for part in cfg.network if part != "name"]
    lacking = [part for part in _parts_asked(cfg.model) if part not in offered]
    if lacking:
        asked = " and ".join(_parts_asked(cfg.model))
        raise ConfigError(
            f"model needs a network with {asked}, but network={cfg.network.name} offers only "
            f"{' and '.join(offered)}; write network=mlp, which offers all four"
        )
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(f"no value for {', '.join(missing)}; write {missing[0]}=VALUE")


def _parts_asked(model: DictConfig) -> list[str]:
    """List the parts of the network that a model's config points to, at any depth."""
    written = OmegaConf.to_yaml(model, resolve=False)
    return list(dict.fromkeys(re.findall(r"\$\{network\.(\w+)\}", written)))


def closest(word: str, known: list[str]) -> str:
    """Suggest the known word that is closest to ``word``, as the end of a sentence."""
    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else "."
