"""Overrides as text: quote a value for Hydra, split and join a command line as MLflow's tags keep it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PLACELESS = ("seed", "study", "resume", "hydra", "paths", "tracking", "workers", "log", "grid", "checkpoint")
"""First parts of the keys that change no score."""

LITERAL = frozenset(
    {
        "baseline",
        "export_reference",
        "extractor.weights",
        "init_from",
        "reference",
        "resume",
        "source",
        "data.path",
        "data.root",
        "paths.cache",
        "paths.data",
        "paths.output",
        "paths.results",
    }
)
"""Keys whose values are paths or labels: any text, also one that Hydra's grammar reads as a list or refuses."""

_WEIGHTS = re.compile(r"extractor\.\w+\.weights")
"""The same of one of several extractors."""
_ESCAPED = re.compile(r"(\\*)('|$)")
_BETWEEN = re.compile(r"\s+(?=[+~]{0,2}[\w./@]+=)")


def quoted(text: str) -> str:
    """Quote ``text`` so that Hydra reads it back unchanged.

    Inside Hydra's quotes only the backslashes just before a quote need escaping.
    """
    return "'" + _ESCAPED.sub(lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text) + "'"


def as_typed(arguments: Sequence[str]) -> list[str]:
    """Quote the values of the :data:`LITERAL` keys, so that each arrives as it was typed.

    A value stays as it is if Hydra already reads it as that text, if it is quoted, ``null``, an interpolation or, in a
    multirun, a list of values to sweep over.

    Args:
        arguments: overrides and options of a command.
    """
    multirun = any(a in ("-m", "--multirun") for a in arguments)
    return [_literal(a, multirun) if _is_literal(a.partition("=")[0].lstrip("+")) else a for a in arguments]


def _is_literal(key: str) -> bool:
    return key in LITERAL or _WEIGHTS.fullmatch(key) is not None


def _literal(argument: str, multirun: bool) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser  # heavy: `ganvas --help` answers at once
    from hydra.core.override_parser.types import QuotedString
    from hydra.errors import HydraException

    key, _, value = argument.partition("=")
    if "${" in value:
        return argument
    try:
        parsed = OverridesParser.create().parse_override(argument)
    except HydraException:
        return f"{key}={quoted(value)}"
    raw = parsed._value
    if raw is None or raw == value or isinstance(raw, QuotedString) or (multirun and parsed.is_sweep_override()):
        return argument
    return f"{key}={quoted(value)}"


def split_overrides(text: str) -> dict[str, str]:
    """Split overrides into values by key.

    Args:
        text: overrides separated by spaces; values may contain spaces.
    """
    pairs = (part.partition("=") for part in _BETWEEN.split(text.strip()) if "=" in part)
    return {key.lstrip("+~"): value for key, _, value in pairs}


def decides(key: str) -> bool:
    """Whether a key of the config can change a score; a seed only chooses which draw of the score is seen."""
    return key.split(".")[0] not in PLACELESS


def join_overrides(values: Mapping[str, str]) -> str:
    """Join values by key into overrides, the inverse of :func:`split_overrides`."""
    return " ".join(f"{key}={value}" for key, value in values.items())


def swept(configurations: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys whose values differ among configurations, in order of appearance; a missing key counts as a value.

    Args:
        configurations: overrides of each configuration, values by key.
    """
    keys = dict.fromkeys(key for values in configurations for key in values)
    return [key for key in keys if len({values.get(key) for values in configurations}) > 1]
