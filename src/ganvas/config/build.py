"""Objects from configs: checks before anything is built, and :func:`build`.

``instantiate`` refuses an argument that the class named by ``_target_`` does not know.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import hydra.utils
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException, ValidationError

from ganvas.config.arguments import unfit
from ganvas.nested import leaves

T = TypeVar("T")
_UNFOUND = "Error loading"
_OBJECTS = ("model", "data", "transform")
"""Nodes that a training always builds."""
_WHOLE: Final = {"vq": ("grid_encoder", "grid_decoder", "predictor"), "ladder": ("hierarchy",)}
"""Parts that one network alone offers; all others are offered by network=mlp."""
_ADVICE = ", set env var HYDRA_FULL_ERROR=1 to see chained exception."


class ConfigError(Exception):
    """A config that cannot be run; one message says why."""

    exit_code = 2


def build(node: DictConfig) -> Any:
    """Build the object that a config node describes; containers arrive as plain lists and dicts.

    Raises:
        ConfigError: the node's class does not know an argument, or refuses its value; the message is its own.
    """
    if wrong := next(unfit(node), ""):
        raise ConfigError(wrong)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except TypeError as error:  # a flag of Hydra's own, such as _partial_
        raise ConfigError(" ".join(str(error).split())) from error
    except hydra.errors.InstantiationException as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, (TypeError, ImportError, AttributeError)) or _UNFOUND in str(error):
            raise ConfigError(" ".join(str(error).replace(_ADVICE, "").split())) from error
        if isinstance(cause, ValueError):
            raise ConfigError(str(cause)) from error
        raise cause from None  # the wrapper's own cause is this error: chained to it, the chain would never end


def build_as(kind: type[T], node: DictConfig) -> T:
    """Build the object that a config node describes, and check that it is one of ``kind``.

    Args:
        kind: base class of what the node describes.
        node: a node of a config.

    Raises:
        ConfigError: as :func:`build`, or the object is another one.
    """
    built = build(node)
    if not isinstance(built, kind):
        key = f"{node._get_full_key(None)}._target_".removeprefix(".")
        wanted = f"{kind.__module__}.{kind.__qualname__}"
        raise ConfigError(f"{key}={node.get('_target_')}: expected a subclass of {wanted}, got {type(built).__name__}")
    return built


def check(cfg: DictConfig) -> None:
    """Refuse a config that lacks a value or a class, or whose network lacks a part, before anything is built.

    Raises:
        ConfigError: a value is missing or leads nowhere, or the network lacks a part that the model needs.
    """
    for part in _OBJECTS:
        if not OmegaConf.is_dict(cfg[part]) or "_target_" not in cfg[part]:
            raise ConfigError(f"{part}._target_ is missing, so that nothing can be built; write {part}=NAME")
    offered = [str(part) for part in cfg.network if part != "name"]
    lacking = [part for part in _parts_asked(cfg.model) if part not in offered]
    if lacking:
        asked = " and ".join(_parts_asked(cfg.model))
        fix = next((name for name, offer in _WHOLE.items() if set(lacking) & set(offer)), "mlp")
        raise ConfigError(
            f"model needs a network with {asked}, but network={cfg.network.name} offers only "
            f"{' and '.join(offered)}; write network={fix}, which offers them all"
        )
    for part in _parts_asked(cfg.model):
        if not OmegaConf.is_dict(cfg.network[part]):
            wanted = f"a node with a _target_ that makes a {part.rpartition('_')[2].capitalize()}"
            raise ConfigError(f"network.{part}={cfg.network[part]}: expected {wanted}")
    require_resolvable(cfg)
    _require_whole_numbers_of_torch(cfg)
    require_values(cfg)


def require_values(cfg: DictConfig) -> None:
    """Refuse keys whose value is left open, as by ``key=???``.

    Raises:
        ConfigError: names all of them.
    """
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise ConfigError(f"no value for {', '.join(missing)}; write {missing[0]}=VALUE")


def require_counts(cfg: DictConfig, keys: Iterable[str]) -> None:
    """Refuse a number below 1 where something is counted.

    Args:
        cfg: any config.
        keys: dotted keys of whole numbers; None counts nothing.

    Raises:
        ConfigError: names the key and its value.
    """
    for key in keys:
        if (value := OmegaConf.select(cfg, key)) is not None and value < 1:
            raise ConfigError(f"{key}={value}: expected at least 1; write {key}=1")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or the name of its class if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def require_resolvable(cfg: DictConfig) -> None:
    """Refuse an interpolation that leads nowhere, by its key.

    Raises:
        ConfigError: names the key, what stands there, and why it cannot be resolved.
    """
    broken = list(_broken(cfg))
    if broken:
        # A key may fail because of another one that it points to; the message is about that one.
        message, error = next((one for one in broken if _is_own(one[0])), broken[0])
        raise ConfigError(message) from error


def _require_whole_numbers_of_torch(cfg: DictConfig) -> None:
    """Refuse a whole number that does not fit into 64 bits: torch's error for it names no key."""
    written: Any = OmegaConf.to_container(cfg, resolve=False)  # so that the key is the one that was given
    for key, value in leaves(written):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ConfigError(f"{key}={value}: expected a whole number of at most 64 bits")


def _broken(cfg: DictConfig) -> Iterator[tuple[str, OmegaConfBaseException]]:
    """Yield a message and the error of each interpolation that cannot be resolved."""
    for node, key in _interpolations(cfg):
        try:
            _require_list(node, key)
        except InterpolationToMissingValueError:
            continue  # what it points to has no value yet, which is another fault
        except OmegaConfBaseException as error:
            written = OmegaConf.to_container(node, resolve=False)[key]  # type: ignore[index]
            yield f"{node._get_full_key(key)}={written}: {first_line(error)}", error


def _require_list(node: DictConfig, key: Any) -> None:
    """Resolve an interpolation; OmegaConf does not compare what stands in the place of a list."""
    found = node[key]
    if isinstance(node._get_node(key), ListConfig) and not (found is None or OmegaConf.is_list(found)):
        raise ValidationError(f"expected a list, got {found!r}; write [{found}]")


def _is_own(message: str) -> bool:
    """Whether the name that cannot be found stands in the value of the key itself."""
    written, _, reason = message.partition(": ")
    return any(name in written for name in re.findall(r"'([^']+)'", reason))


def _interpolations(node: DictConfig) -> Iterator[tuple[DictConfig, Any]]:
    for key in node:
        if OmegaConf.is_interpolation(node, str(key)):
            yield node, key
        elif isinstance(child := node._get_node(key), DictConfig) and not (child._is_none() or child._is_missing()):
            yield from _interpolations(child)


def _parts_asked(model: DictConfig) -> list[str]:
    """List the parts of the network that a model's config points to, at any depth."""
    written = OmegaConf.to_yaml(model, resolve=False)
    return list(dict.fromkeys(re.findall(r"\$\{network\.(\w+)\}", written)))


def closest(word: str, known: list[str]) -> str:
    """Suggest the known word that is closest to ``word``, as the end of a sentence."""
    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else "."
