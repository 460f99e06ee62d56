"""What went wrong, in one message, and whose turn it is: the caller's (exit code 2) or ours (1)."""

from __future__ import annotations

from collections.abc import Iterator

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException, ValidationError

from ganvas.config import closest

FAILURE, BAD_INPUT = 1, 2


def explain(error: BaseException) -> tuple[str, int]:
    """One message for ``error`` and the exit code it deserves.

    Args:
        error: what a command raised. Its class may carry an ``exit_code``.

    Returns:
        The message, without traceback, and 2 for bad input or 1 for a failure.
    """
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, MissingConfigException) and link.missing_cfg_file is not None:
            return _unknown_choice(link), BAD_INPUT
        if isinstance(link, ConfigKeyError) and link.full_key:
            return _unknown_key(str(link.full_key)), BAD_INPUT
        if isinstance(link, ValidationError):
            return f"{link.full_key}: {_first_line(link)}", BAD_INPUT
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}; overrides are KEY=VALUE, as in budget.images=20000", BAD_INPUT
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _first_line(error), BAD_INPUT
    code = getattr(error, "exit_code", FAILURE)
    return (str(error) if code == BAD_INPUT else f"{type(error).__name__}: {error}"), code


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    if not group:
        return _first_line(error)
    options = list(error.options or [])
    return f"{group}={choice} is unknown{closest(choice, options)} {group} can be {', '.join(options)}"


def _unknown_key(key: str) -> str:
    return f"{key} is no key of the config{closest(key, _known_keys())} `ganvas train --cfg job` shows them all"


def _known_keys() -> list[str]:
    GlobalHydra.instance().clear()
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return list(_flat_keys(compose("train")))


def _flat_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key}"
        if OmegaConf.is_dict(child := node._get_node(key)) and child._content and not child._is_interpolation():
            yield from _flat_keys(child, f"{prefix}{key}.")


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
