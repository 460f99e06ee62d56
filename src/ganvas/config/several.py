"""Several extractors at once, ``extractor=[inception,dinov2]``: how the list is composed, and how it is recorded.

Hydra merges a list of options of a group into one node, in which the last option wins. Here each option gets a node of
its own instead: the list becomes the overrides ``extractor=none``, ``+extractor@extractor.inception=inception`` and
``+extractor@extractor.dinov2=dinov2``, so that ``extractor.dinov2.weights=PATH`` is a key of one of them. What a run
records of its command line is the list as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException
from omegaconf import DictConfig

from ganvas.config.build import ConfigError

GROUP: Final = "extractor"
_LIST: Final = re.compile(rf"{GROUP}=.*\[", re.DOTALL)
_PART: Final = re.compile(rf"\+?{GROUP}@{GROUP}\.\w+=(.*)")
_EMPTY: Final = f"{GROUP}=none"


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Replace a list of extractors by one override for each of them.

    Args:
        arguments: overrides and options of a command.

    Raises:
        ConfigError: the list is empty, names an extractor twice, or stands in a sweep beside other values.
    """
    return [part for argument in arguments for part in (_parts(argument) if _LIST.match(argument) else [argument])]


def as_given(hydra: Any) -> tuple[dict[str, str], list[str]]:
    """Return the choice of each group and the overrides, with a list of extractors as it was written.

    Args:
        hydra: Hydra's own node of a composed config.

    Raises:
        ConfigError: a list of extractors stands in a config file, where :func:`spelled_out` does not see it.
    """
    choices = {str(group): str(choice) for group, choice in hydra.runtime.choices.items()}
    overrides = [str(override) for override in hydra.overrides.task]
    if "model" in choices and GROUP not in choices:
        raise ConfigError(
            f"{GROUP}: a list of extractors is not read from a config file or a search space; write it on the command "
            "line"
        )
    chosen = [found[1] for override in overrides if (found := _PART.fullmatch(override))]
    own = {group: choice for group, choice in choices.items() if group.startswith(f"{GROUP}@{GROUP}.")}
    if not own:
        return choices, overrides
    written = f"[{','.join(chosen or own.values())}]"
    others = {group: choice for group, choice in choices.items() if group not in own}
    given = [f"{GROUP}={written}" if o == _EMPTY else o for o in overrides if not _PART.fullmatch(o)]
    return {**others, GROUP: written}, given


def nodes_of(node: Any) -> list[DictConfig]:
    """List the nodes of the extractors, in order: none, the node itself, or one for each name of a list.

    Args:
        node: ``extractor`` of a composed or recorded config.
    """
    if not node:
        return []
    return [node] if "_target_" in node else [part for part in node.values() if part]


def _parts(argument: str) -> list[str]:
    try:
        parsed = OverridesParser.create().parse_override(argument)
    except HydraException:
        return [argument]  # Hydra says what it cannot read
    if parsed.is_sweep_override():
        raise ConfigError(
            f"{argument}: a sweep has the same extractors in all its runs; write one list, {GROUP}=[NAME,NAME]"
        )
    value = parsed.value()
    if not isinstance(value, list):
        return [argument]
    names = [one.text if isinstance(one, QuotedString) else one for one in value]
    if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{argument}: expected names of different extractors; write {GROUP}=[inception,dinov2]")
    if len(names) == 1:
        return [f"{GROUP}={names[0]}"]
    return [_EMPTY, *(f"+{GROUP}@{GROUP}.{re.sub(r'[^0-9A-Za-z_]', '_', name)}={name}" for name in names)]
