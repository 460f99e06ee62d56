"""Any text as one value of a Hydra override."""

from __future__ import annotations

import re

_ESCAPED = re.compile(r"(\\*)('|$)")


def quoted(text: str) -> str:
    """``text`` in quotes, as Hydra reads it back unchanged.

    Backslashes stand for themselves in Hydra's quotes, but for those just before a quote.

    Args:
        text: any.
    """
    return "'" + _ESCAPED.sub(lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text) + "'"
