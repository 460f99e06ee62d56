"""Turns an error into one message and an exit code: 2 if the caller's input is bad, 1 for any other failure."""

from __future__ import annotations

import errno
import os
import re
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Final

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException, ValidationError

from ganvas.config import closest, first_line
from ganvas.storage.best_effort import complain

FAILURE, BAD_INPUT = 1, 2
_LONGEST: Final = 1000
"""Characters of a message that had several lines."""
_UNREAD: Final = "cannot read the override {!r}; write KEY=VALUE, for example budget.images=20000"
_KEYLESS: Final = ("=", "@")
_EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
"""Hydra launchers, each with the extra of ganvas that installs it."""
_SOURCES = {"score": "SOURCE", "sample": "SOURCE", "rerun": "RUN_ID", "report": "STUDY", "reproduce": "PAPER"}
"""Positional argument of each command, as the usage line shows it."""
_ABSENT: Final = {
    "extractor.resizer": "extractor=mnist and extractor=cifar10 read images of one size and resize none; any other one "
    "is named too, as in extractor=inception extractor.resizer=clean; of several it is extractor.NAME.resizer"
}
"""Keys that one may expect where they make no sense, each with the reason."""
_NOT_A_NAME = ("Config group override must be", "Config group override deletion value must be")
_NAME = re.compile(r"(?!(?:true|false|null|nan|inf)$)[a-z_]\w*", re.IGNORECASE)
_WRONG_PATH = (
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
)
"""Errors of a path that was named wrongly; a full disk or a lost network is a failure."""
_OVERRIDDEN = re.compile(r"Could not (?:override|delete) '([^']*)'")
_COMMAND_LINE: Final = ("ganvas.cli", "ganvas.commands", "ganvas.imports", "ganvas.storage", "ganvas.tracking.signals")
"""Modules that every command passes through before Hydra composes its config."""


def tell(error: Exception, command: str = "train", arguments: Sequence[str] = (), who: str = "") -> int:
    """Print the message of :func:`explain`, and return its exit code; with GANVAS_DEBUG=1 raise the error instead.

    Args:
        error: what a command raised.
        command: see :func:`explain`.
        arguments: see :func:`explain`.
        who: beginning of the message.
    """
    if os.environ.get("GANVAS_DEBUG") == "1":
        raise error
    message, code = explain(error, command, arguments)
    complain(f"{who}{message}")
    return code


def explain(error: BaseException, command: str = "train", arguments: Sequence[str] = ()) -> tuple[str, int]:
    """Make one message and an exit code for ``error``.

    Args:
        error: what a command raised. An exception of ganvas for bad input has an ``exit_code``; Hydra may wrap it, so
            its causes are searched too.
        command: the command whose config has the keys, as on the command line.
        arguments: its arguments, to name the one that a message of Hydra does not name.

    Returns:
        The message, one line without traceback, and 2 for bad input or 1 for a failure.
    """
    message, code = _explained(error, command, arguments)
    return textwrap.shorten(message, _LONGEST, placeholder=" …") if "\n" in message else message, code


def _explained(error: BaseException, command: str, arguments: Sequence[str]) -> tuple[str, int]:
    for link in _chain(error):
        if isinstance(link, MissingConfigException) and link.missing_cfg_file is not None:
            return _unknown_choice(link), BAD_INPUT
        if isinstance(link, OverrideParseException):
            return _UNREAD.format(link.override), BAD_INPUT
        if isinstance(link, ConfigKeyError) and link.full_key:
            return _unknown_key(str(link.full_key), command), BAD_INPUT
        if isinstance(link, ConfigCompositionException) and (key := _OVERRIDDEN.match(str(link))):
            return (_unknown_key(key[1], command) if key[1] else _unread(arguments)), BAD_INPUT
        if isinstance(link, ValueError) and str(link).startswith(_NOT_A_NAME):
            return _not_a_name(arguments), BAD_INPUT
        if isinstance(link, ValidationError) and link.full_key:
            return _refused_value(link, command, arguments), BAD_INPUT
        if hasattr(link, "exit_code"):
            return str(link), link.exit_code
    if isinstance(error, OSError) and error.errno in _WRONG_PATH and error.filename is not None:
        return f"{error.filename}: {error.strerror}; name a path that can be used", BAD_INPUT
    if isinstance(error, OmegaConfBaseException) and error.full_key and str(error.full_key) not in first_line(error):
        return f"{_pointing(arguments)}{error.full_key}: {first_line(error)}", BAD_INPUT
    if isinstance(error, OmegaConfBaseException):
        return f"{_pointing(arguments)}{first_line(error)}", BAD_INPUT
    if isinstance(error, HydraException) and not str(error).strip():
        said = next((link for link in _chain(error) if str(link).strip()), error)
        return f"cannot make a config from {' '.join(arguments)}: {first_line(said)}", BAD_INPUT
    if isinstance(error, HydraException):
        return first_line(error), BAD_INPUT
    if arguments and _while_composing(error):
        return f"cannot make a config from {' '.join(arguments)}: {first_line(error)}", BAD_INPUT
    return f"{type(error).__name__}: {error}", FAILURE


def _while_composing(error: BaseException) -> bool:
    """Whether no code of ganvas had begun to work: the error is about the command line."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [name for name in modules if name.startswith(("ganvas", "hydra_plugins.ganvas"))]
    return any(name.startswith("hydra.") for name in modules) and all(name.startswith(_COMMAND_LINE) for name in own)


def _pointing(arguments: Sequence[str]) -> str:
    """Name the arguments with interpolations, as the beginning of a message about one that leads nowhere."""
    return "".join(f"{argument}: " for argument in arguments if "${" in argument)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # causes may form a cycle
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    if group == "hydra/launcher" and choice in _EXTRAS:
        return (
            f"{group}={choice} comes with a package that is not installed; in the clone of ganvas: "
            f"pip install '.[{_EXTRAS[choice]}]'"
        )
    options = [option for option in error.options or [] if not option.startswith("_")]
    if not group or not options:
        return first_line(error)
    return f"{group}={choice} is unknown{closest(choice, options)} {group} can be {', '.join(options)}"


def _not_a_name(arguments: Sequence[str]) -> str:
    """Name the arguments that choose a config by something else than its name, as ``model=3``."""
    groups = {folder.name for folder in files("ganvas.conf").iterdir() if folder.is_dir()}
    if any(argument.startswith(_KEYLESS) for argument in arguments):
        return _unread(arguments)
    pairs = [argument.partition("=") for argument in arguments]
    chosen = [f"{key}={value}" for key, _, value in pairs if key.lstrip("+~") in groups and not _NAME.fullmatch(value)]
    return f"{' or '.join(chosen) or 'a config group'}: expected the name of a config, as in model=gan"


def _unread(arguments: Sequence[str]) -> str:
    """Name the longest argument that has no key: an empty one may stand beside it."""
    keyless = [argument for argument in arguments if f"{argument.lstrip('+~')}=".startswith(_KEYLESS)]
    return _UNREAD.format(max(keyless, key=len, default="="))


def _unknown_key(key: str, command: str) -> str:
    if key in _ABSENT:
        return f"{key} is not a key of the config: {_ABSENT[key]}"
    known = closest(key, _known_keys(command))
    usage = f"{command} {_SOURCES[command]}" if command in _SOURCES else command
    return f"{key} is not a key of the config{known} `ganvas {usage} --cfg job` shows all keys"


def _refused_value(error: ValidationError, command: str, arguments: Sequence[str]) -> str:
    """Name the key whose value is refused; where the key holds others, as ``score``, name these."""
    key = str(error.full_key)
    held = [known for known in _known_keys(command) if known.rpartition(".")[0] == key]
    if not held:
        return f"{key}: {first_line(error)}"
    given = next((argument for argument in arguments if argument.lstrip("+").startswith(f"{key}=")), key)
    return f"{given}: expected a value of one of its keys, as in {held[0]}=VALUE; it has {', '.join(held)}"


def _known_keys(command: str) -> list[str]:
    GlobalHydra.instance().clear()
    with initialize_config_module("ganvas.conf", version_base="1.3"):
        return list(_flat_keys(compose(command)))


def _flat_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not (child._is_none() or child._is_missing() or child._is_interpolation()):
            yield from _flat_keys(child, f"{prefix}{key}.")
