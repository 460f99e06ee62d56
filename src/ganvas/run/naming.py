"""What identifies a run in MLflow's tables: a name whose beginning differs from run to run, and few parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from omegaconf import DictConfig, OmegaConf

GROUPS: Final = ("model", "data", "network")
"""Config groups that begin the name of a run; each has a tag."""
_WORDS: Final = (*GROUPS, "experiment")
"""Keys whose values say in a name what they are."""
_PARTS: Final = ("objective", "constraint", "likelihood", "prior", "posterior", "quantiser", "optimizer", "schedule")
"""Config groups that the model may use."""
_MADE_BY: Final = ("transform", "extractor", "augment", "sampler", "experiment")
_PLACES: Final = frozenset("checkpoint grid hydra log paths resume study tracking trust workers".split())
"""First parts of the keys that change no score."""
_MEANS: Final = frozenset("cuda_graphs deterministic extractor init_parts sampler score trainer".split())
"""First parts of the keys that say how a run is made and measured: parameters only if the command line sets them."""


def params(cfg: DictConfig, choices: Mapping[str, str], overrides: Sequence[str]) -> dict[str, Any]:
    """Choose what is swept and what is science; the artifact ``config.yaml`` has all of the config.

    Args:
        cfg: the composed config.
        choices: choice of each config group.
        overrides: arguments of the command line; what they set can be logged though it has its usual value.
    """
    used = _used(cfg)
    asked = {override.partition("=")[0].lstrip("+") for override in overrides}
    asked = {key for key in asked if _first(key) not in _PLACES}
    chosen = {group: choices[group] for group in (*GROUPS, *_MADE_BY) if choices.get(group, "None") != "None"}
    chosen |= {group: choices[group] for group in _PARTS if group in choices and _is_used(group, used)}
    values = {key: value for key, value in flat(cfg, pointers=asked).items() if key in asked or _is_science(key, value)}
    return chosen | {key: value for key, value in values.items() if key in asked or _is_used(key, used)}


def flat(cfg: DictConfig, prefix: str = "", pointers: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Flatten the config to values by dotted key; a value that only points to another one is left out.

    Args:
        cfg: a mapping node.
        prefix: put before each key.
        pointers: keys that are kept though they point.
    """
    values: dict[str, Any] = {}
    for name in map(str, cfg):
        key = f"{prefix}{name}"
        if OmegaConf.is_interpolation(cfg, name) and key not in pointers:
            continue
        value = cfg[name]
        values |= flat(value, f"{key}.", pointers) if isinstance(value, DictConfig) else {key: value}
    return values


def _used(cfg: DictConfig) -> str:
    """Config of the model and of the networks that it points to, in which other parts are pointed to."""
    model = OmegaConf.to_yaml(cfg.model)
    networks = [OmegaConf.to_yaml(node) for part, node in cfg.network.items() if f"${{network.{part}}}" in model]
    return "\n".join([model, *networks])


def _is_used(key: str, model: str) -> bool:
    """Whether the model has the part that a key belongs to; a recorded config, which points nowhere, uses all."""
    first, *rest = key.split(".")
    node = f"{first}.{rest[0]}" if first == "network" and len(rest) > 1 else first
    return "${" not in model or first not in (*_PARTS, "network") or node == "network" or f"${{{node}" in model


def _is_science(key: str, value: Any) -> bool:
    last = key.rpartition(".")[2]
    is_said = last.startswith("_") or last in ("name", "shape", "latent_dim")  # by a choice, by prior.dim
    return value is not None and not is_said and _first(key) not in _PLACES | _MEANS


def _first(key: str) -> str:
    return key.partition(".")[0]


def short_name(values: Mapping[str, str], seed: int | None, choices: Mapping[str, str] = {}) -> str:
    """Write a name that begins with the difference, because tables cut the end: ``lr=9.6e-4 s1 · gan mnist5k mlp``.

    Args:
        values: what makes the run differ from others, values by key.
        seed: of the run; None for a configuration.
        choices: of :data:`GROUPS`, for the end of the name.
    """
    lasts = Counter(key.rpartition(".")[2] for key in values)
    words = [
        _short(value) if key in _WORDS else f"{_last(key, lasts)}={_short(value)}" for key, value in values.items()
    ]
    seeds = [] if seed is None else [f"s{seed}"]
    end = [choices[group] for group in GROUPS if group in choices and group not in values]
    return " ".join([*words, *seeds, *(["·", *end] if end else [])])


def difference(overrides: Sequence[str], label: str | None, unnamed: AbstractSet[str]) -> dict[str, str]:
    """Find what makes a run differ: the swept values of a sweep's run, else the science that its command line sets.

    Args:
        overrides: arguments of the command line.
        label: the swept values as the sweep labels them; None outside of sweeps.
        unnamed: keys that are never part of a name.
    """
    pairs = [override.partition("=") for override in overrides]
    values = {key.lstrip("+~"): value for key, sign, value in pairs if sign}
    if label is None:
        technical = {key for key in values if _first(key) in _PLACES | _MEANS}
        return {key: value for key, value in values.items() if key not in unnamed | technical | {"seed"}}
    return {key: value for key, value in values.items() if f" {key}=" in f" {label}"}


def _last(key: str, lasts: Counter[str]) -> str:
    last = key.rpartition(".")[2]
    return last if lasts[last] == 1 else key


def _short(value: str) -> str:
    """Round a number to four digits, and write it in the shorter notation."""
    try:
        number = float(value)
    except ValueError:
        return value
    mantissa, _, exponent = f"{number:.3e}".partition("e")
    scientific = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent or 0)}" if exponent else mantissa
    return min(f"{number:.4g}" if len(value) > 5 else value, scientific, key=len)
