"""A source that ``ganvas score`` has scored: for its table, its ``result.json``, and the comparison with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ganvas.scoring.found import Found
from ganvas.scoring.replicates import Replicates


class Scored(NamedTuple):
    """What is known of a source that was scored.

    Args:
        title: names of subject and reference; empty if only the reference was exported.
        result: the content of ``result.json``.
        found: the scores.
        replicates: the scores of halves of the images, by key; empty if no other source is to be compared.
    """

    title: str
    result: dict[str, Any]
    found: Found
    replicates: Mapping[str, Replicates]
