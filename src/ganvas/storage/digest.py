"""The name of what depends on some facts and on nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the fields as canonical JSON: the name of what depends on them and on nothing else.

    Args:
        fields: ready for JSON.
    """
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
