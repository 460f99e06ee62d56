"""Imports of the heavy libraries, without the garbage collector in between.

torch, Lightning and MLflow make about a million objects while they are imported and free almost none. Python's
collector would walk all of them again and again: measured on two cores, 1.6 of the 7 seconds to the first step.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from running inside the block, and from walking the block's objects after it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
