"""Functions that are told the scores and findings of a run in training; a sweep prunes by them."""

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
    """Tell ``listeners`` of all scores and findings inside the block.

    Args:
        listeners: functions, in the order in which they are called.
    """
    token = _listeners.set(listeners)
    try:
        yield
    finally:
        _listeners.reset(token)


def announce(scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
    """Call the listeners.

    Args:
        scores: scores by key, ``val/...``; none if only the health of the run was judged.
        findings: findings on the health of the run.
        images_seen: images that the model had seen when both were measured.
    """
    for listener in _listeners.get():
        listener(scores, findings, images_seen)
