"""Who else hears the scores and findings of a run in training: what a sweep prunes by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from ganvas.health.finding import Finding

Listener = Callable[[Mapping[str, float], Iterable[Finding], int], None]
"""Takes scores by key, findings, and the images seen; may raise to end the run."""

_listeners: ContextVar[Sequence[Listener]] = ContextVar("listeners", default=())


@contextmanager
def listening(listeners: Sequence[Listener]) -> Iterator[None]:
    """Inside the block, ``listeners`` hear every scoring and every judgement.

    Args:
        listeners: in the order they are told.
    """
    token = _listeners.set(listeners)
    try:
        yield
    finally:
        _listeners.reset(token)


def announce(scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
    """Tell whoever listens.

    Args:
        scores: by key, ``val/...``; none where only the run's health was judged.
        findings: on its health.
        images_seen: when both were measured.
    """
    for listener in _listeners.get():
        listener(scores, findings, images_seen)
