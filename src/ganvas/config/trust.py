"""Configs that come from a file or a run: read as plain data, and checked as a whole before anything is built.

Their author may be a stranger, and Hydra calls whatever a ``_target_`` names, so that an unchecked config is a program.
The text is read without aliases, tags and interpolations, up to a size and a depth. Each target must be a part that
ganvas exports for configs (a model, a network, an objective, a data set, ...), an optimiser or an initialiser of torch,
or belong to a package that the user trusts: by the key ``trust`` or by the environment variable ``GANVAS_TRUST``. What
users type themselves, and their own ``--config-dir``, is not checked.
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import yaml
from omegaconf import DictConfig, OmegaConf

from ganvas.config.build import ConfigError

VARIABLE: Final = "GANVAS_TRUST"
"""Environment variable with the names of trusted packages, separated by commas."""
LONGEST: Final = 100_000
"""Largest number of characters of a config; those that ganvas writes have less than 10,000."""
DEEPEST: Final = 20
"""Largest depth of a config; those that ganvas writes are less than 10 deep."""

_ROOMS: Final = tuple(
    f"ganvas.{room}" for room in ("augment", "data", "extractors", "latents", "models", "networks", "objectives")
)
_FUNCTIONS: Final = ("ganvas.data.grid", "ganvas.data.ring")
"""Exported functions that configs call; every other part is a class."""
_INITIALISERS: Final = ("ganvas.networks.init", "torch.nn.init")
_CODE: Final = {"ganvas.extractors.CustomExtractor": "module", "ganvas.extractors.FidelityExtractor": "weights"}
"""Parts with an argument that may name code: a Python path, or a file of TorchScript or ONNX."""
_OWN_NETWORK: Final = "ganvas.extractors.RandomFeatures"
"""The network of ``extractor=random``, which is no code of somebody else."""
_FILES: Final = (".pt", ".ts", ".onnx")
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_SHOWN: Final = 80


def recorded_config(text: object, origin: str, trust: Iterable[str]) -> DictConfig:
    """Read and check the config that ganvas wrote into a checkpoint or a run.

    Args:
        text: the config as YAML, as the file holds it.
        origin: path or run id, for messages.
        trust: names of packages and targets, and paths of network files, that the config may name besides the parts
            of ganvas; those of ``GANVAS_TRUST`` are added.

    Returns:
        The config. It has no interpolations, and every ``_target_`` in it may be built.

    Raises:
        ConfigError: the text is not such a config, or it names something that is not trusted.
    """
    tree = _tree(text, origin)
    trusted = frozenset(filter(None, [*trust, *re.split(r"[\s,]+", os.environ.get(VARIABLE, ""))]))
    for key, node in _nodes(tree):
        if isinstance(node, str) and "${" in node:
            raise ConfigError(
                f"{origin}: {key} is {_shown(node)}; a config from a file or a run holds values, and an interpolation "
                "could read your environment. Train again, or write the value into the config"
            )
        if isinstance(node, Mapping):
            _check_node(key, node, origin, trusted)
    config = OmegaConf.create(tree)
    assert isinstance(config, DictConfig)
    return config


def names_beyond_ganvas(config: DictConfig) -> list[str]:
    """List the targets and the network files of a user's own config that are not parts of ganvas.

    The user who typed the config trusts them, also in the checkpoint that the training writes.

    Args:
        config: a config that the user typed.
    """
    nodes = [node for _, node in _nodes(OmegaConf.to_container(config, resolve=True)) if isinstance(node, Mapping)]
    named = [str(node["_target_"]) for node in nodes if "_target_" in node and not _kind(str(node["_target_"]))]
    return list(dict.fromkeys([*named, *(code for node in nodes if (code := _code(node)) is not None)]))


def _tree(text: object, origin: str) -> dict[Any, Any]:
    """Read the text as plain containers, without aliases and tags, up to the limits of size and depth."""
    if not isinstance(text, str):
        raise ConfigError(f"{origin}: its config is a {type(text).__name__}, expected text as ganvas writes it")
    if len(text) > LONGEST:
        raise ConfigError(f"{origin}: its config has {len(text):,} characters, expected at most {LONGEST:,}")
    try:
        _check_syntax(text, origin)
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ConfigError(f"{origin}: its config cannot be read as YAML ({reason}); is the file damaged?") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{origin}: its config is a {type(tree).__name__}, expected a mapping of keys to values")
    return tree


def _check_syntax(text: str, origin: str) -> None:
    """Refuse anchors, aliases, tags and depth before any of it is expanded: a few lines could fill the memory."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            raise ConfigError(
                f"{origin}: line {line} of its config has an anchor, an alias or a tag, which ganvas does not write; "
                "write the value itself in each place"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{origin}: line {line} of its config is more than {DEEPEST} levels deep")


def _nodes(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a tree and every value below it, each with its dotted key."""
    yield key or "the config", node
    children = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for name, child in children:
        yield from _nodes(child, f"{key}.{_plain(name)}" if key else _plain(name))


def _check_node(key: str, node: Mapping[Any, Any], origin: str, trusted: frozenset[str]) -> None:
    target = node.get("_target_")
    if isinstance(target, str) and _is_trusted(target, trusted):
        return
    kind = _kind(target) if isinstance(target, str) else None
    if "_target_" in node and kind is None:
        raise ConfigError(_refusal(origin, f"{key}._target_", target, "which is not a part of ganvas"))
    for name in node:
        known = name == "_target_" or (name == "_partial_" and kind == "partial")
        if str(name).startswith("_") and str(name).endswith("_") and not known:
            raise ConfigError(
                f"{origin}: {key}.{_plain(name)} is an instruction for Hydra; a config from a file or a run may have "
                "_target_, and _partial_ for an optimiser or an initialiser"
            )
    code = _code(node)
    if code is not None and not _is_trusted(code, trusted):
        raise ConfigError(_refusal(origin, f"{key}.{_CODE[str(target)]}", code, "and loading it may run its code"))


def _code(node: Mapping[Any, Any]) -> Any:
    """Find what a node names as code of somebody else; None if it names none."""
    argument = _CODE.get(str(node.get("_target_")))
    if argument == "weights" and not str(node.get("model")).startswith("clip"):
        return None  # state dicts, which are read without running anything; only CLIP's are TorchScript
    named = None if argument is None else node.get(argument)
    return None if named == _OWN_NETWORK else named


def _is_trusted(name: Any, trusted: frozenset[str]) -> bool:
    """Whether a name is trusted itself or, if it is not a file, lies below a trusted package."""
    if not isinstance(name, str) or name in trusted or name.endswith(_FILES):
        return isinstance(name, str) and name in trusted
    return any(name.startswith(f"{package}.") for package in trusted)


def _refusal(origin: str, key: str, named: object, reason: str) -> str:
    said = (
        f"{origin}: {key} names {_shown(named)}, {reason}. A config from a file or a run may name only parts of "
        "ganvas and what you trust"
    )
    name = str(named)
    if not name.endswith(_FILES) and not _NAME.fullmatch(name):
        return said
    package = name if name.endswith(_FILES) or name.startswith(("ganvas.", "torch.")) else name.partition(".")[0]
    return f"{said}; if you trust its code, write trust=[{_plain(package)}] or set {VARIABLE}={_plain(package)}"


def _kind(target: str) -> str | None:
    """Say what a target is: ``part``, ``partial`` (an optimiser or an initialiser), or None if it may not be built."""
    module, _, name = target.rpartition(".")
    if module not in _places() or not name.isidentifier():
        return None
    place = import_module(module)
    if module in _ROOMS:
        return "part" if name in place.__all__ and (target in _FUNCTIONS or _is_class(place, name)) else None
    found = vars(place).get(name)
    if isinstance(found, type):
        return _kind_of_class(found, place)
    filled_in_place = inspect.isfunction(found) and found.__module__ == module and not name.startswith("_")
    return "partial" if filled_in_place and name.endswith("_") and module in _INITIALISERS else None


@cache
def _places() -> frozenset[str]:
    """Modules that parts are exported from."""
    networks = pkgutil.iter_modules(import_module("ganvas.networks").__path__, "ganvas.networks.")
    return frozenset({*_ROOMS, *(found.name for found in networks), *_INITIALISERS, "torch.optim"})


def _is_class(place: ModuleType, name: str) -> bool:
    found = getattr(place, name)
    return isinstance(found, type) and not issubclass(found, BaseException)


def _kind_of_class(found: type, place: ModuleType) -> str | None:
    """A class of a namespace of networks is a part if it is a network, one of torch.optim if it is an optimiser."""
    from torch.nn import Module
    from torch.optim import Optimizer

    if place.__name__ == "torch.optim":
        return "partial" if issubclass(found, Optimizer) else None
    return "part" if issubclass(found, Module) and found.__module__ == place.__name__ else None


def _shown(value: object) -> str:
    """Write a stranger's value for a message: escaped, in one line, cut."""
    return repr(value if isinstance(value, str) else str(value))[:_SHOWN]


def _plain(value: object) -> str:
    """Write a stranger's key for a message without characters that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in str(value))[:_SHOWN]
