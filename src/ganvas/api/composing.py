"""Composes the config of an API call as the command line would, inside the caller's Python program."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase, setbase
from omegaconf import DictConfig, open_dict

from ganvas.config import ConfigError, as_given, spelled_out
from ganvas.config.aliases import require_small
from ganvas.errors import BAD_INPUT, explain
from ganvas.sweeps.overrides import as_typed, quoted

_CONFIGS = "ganvas.conf"
_WORD = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_]\w*", re.IGNORECASE)
"""Text that Hydra reads as itself without quotes, so that names of runs are the same as from the command line."""


class Call(NamedTuple):
    """A composed call of a command.

    Args:
        config: the composed config, without Hydra's own node.
        output: output folder of the command.
        choices: chosen config by config group.
        overrides: all overrides, as the command line would have them.
    """

    config: DictConfig
    output: Path
    choices: dict[str, str]
    overrides: list[str]


@contextmanager
def calling(
    command: str, overrides: Sequence[str], values: Mapping[str, Any], config_dir: str | os.PathLike[str] | None
) -> Iterator[Call]:
    """Compose the config of a command; inside the block Hydra is initialised as on the command line.

    If the program has initialised Hydra for its own configs, that state is restored afterwards.

    Args:
        command: name of the command and of its root config, for example ``train``.
        overrides: as on the command line.
        values: further overrides by key.
        config_dir: folder with the caller's own configs, or None.

    Raises:
        ConfigError: the input is bad; the message is that of the command. Other errors pass unchanged.
    """
    hydra, version = GlobalHydra.instance().hydra, VersionBase.instance().getbase()
    GlobalHydra.instance().clear()
    try:
        with _bad_input(command):
            setbase("1.3")
            Hydra.create_main_hydra2(f"ganvas {command}", _search_path(config_dir))
            yield _composed(command, [*overrides, *(f"{key}={written(key, value)}" for key, value in values.items())])
    finally:
        GlobalHydra.instance().hydra = hydra
        VersionBase.instance().version_base = version


def _search_path(config_dir: str | os.PathLike[str] | None) -> ConfigSearchPath:
    path = create_automatic_config_search_path(
        calling_file=None, calling_module=f"{_CONFIGS}.command", config_path=None
    )
    if config_dir is None:
        return path
    folder = Path(config_dir).absolute()
    if not folder.is_dir():
        raise ConfigError(
            f"config_dir={config_dir} is not a folder; give the folder that holds network/, objective/, ..."
        )
    require_small(folder)
    path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))  # as Hydra's --config-dir
    return path


def _composed(command: str, overrides: list[str]) -> Call:
    config = compose(command, spelled_out(as_typed(overrides)), return_hydra_config=True)
    output = Path(config.hydra.run.dir)
    choices, task = as_given(config.hydra)
    with open_dict(config):
        del config["hydra"]
    return Call(config, output, choices, task)


@contextmanager
def _bad_input(command: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if hasattr(error, "exit_code"):
            raise
        message, code = explain(error, command)
        if code != BAD_INPUT:
            raise
        raise ConfigError(message) from error


def written(key: str, value: Any) -> str:
    """Write a Python value in Hydra's override grammar.

    Args:
        key: key of the override, for the message.
        value: None, bool, number, string, path, or a sequence or mapping of these.

    Raises:
        ConfigError: an override cannot hold such a value.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, (str, os.PathLike)):
        return _text(os.fspath(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written(key, part)}" for name, part in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(written(key, part) for part in value) + "]"
    raise ConfigError(
        f"{key}: got a {type(value).__name__}; expected None, a bool, a number, a string, a path, or a list or dict of "
        "these, since it becomes an override of the command line"
    )


def _text(value: str) -> str:
    return value if _WORD.fullmatch(value) else quoted(value)
