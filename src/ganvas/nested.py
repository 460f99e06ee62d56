"""Mappings inside mappings, read by dotted name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a mapping and of all mappings inside it, each with its dotted name.

    Args:
        node: names and values; a value that is a mapping is entered.
        prefix: beginning of the names.
    """
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
