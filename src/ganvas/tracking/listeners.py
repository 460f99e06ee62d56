"""Who else hears the scores that are measured in training: a sweep's pruner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[Mapping[str, float], int], None]
"""Takes scores by key, and the images seen; may raise to end the run."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Inside the block, ``listener`` hears every scoring.

    Args:
        listener: None for nobody.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def announce(scores: Mapping[str, float], images_seen: int) -> None:
    """Tell whoever listens.

    Args:
        scores: by key, ``val/...``.
        images_seen: when they were measured.
    """
    if (listener := _listener.get()) is not None:
        listener(scores, images_seen)
