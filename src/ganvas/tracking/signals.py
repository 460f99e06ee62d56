"""The signals SIGTERM (of a scheduler or ``kill``) and SIGHUP (of a closed terminal) as exceptions.

Python turns SIGINT into ``KeyboardInterrupt``; the other two end the process at once, and a run would stay marked as
running for ever.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPPING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(BaseException):
    """A signal asked the process to end.

    Args:
        signum: number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


def is_interruption(error: BaseException) -> bool:
    """Whether somebody stopped the process on purpose.

    Lightning turns a ``KeyboardInterrupt`` into a ``SystemExit``, whose cause is checked too.

    Args:
        error: the exception that ended the work.
    """
    cause = error.__context__ if isinstance(error, SystemExit) else error
    return isinstance(cause, (KeyboardInterrupt, Terminated))


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Turn the first SIGTERM or SIGHUP inside the block into :class:`Terminated`, and ignore later ones."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    raised: list[int] = []
    owner = os.getpid()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked data worker inherits the handler, not the run
            os._exit(128 + signum)
        if not raised:
            raised.append(signum)
            raise Terminated(signum)

    with _handled({s: stop for s in _STOPPING if signal.getsignal(s) is not signal.SIG_IGN}):
        yield


@contextmanager
def signals_wait() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP inside the block, for the last seconds of a run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled(dict.fromkeys((signal.SIGINT, *_STOPPING), signal.SIG_IGN)):
        yield


@contextmanager
def _handled(handlers: dict) -> Iterator[None]:
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            # None: the handler was not installed from Python, and cannot be put back from it
            if handler is not None:
                signal.signal(signum, handler)
