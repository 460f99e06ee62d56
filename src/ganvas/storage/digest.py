"""Hash of a set of facts, used as the name of whatever depends on these facts only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 of the fields as canonical JSON (sorted keys, no spaces), in hexadecimal digits.

    Args:
        fields: values that JSON can hold.
    """
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
