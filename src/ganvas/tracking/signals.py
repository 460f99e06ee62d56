"""Signals that ask a process to end, as exceptions: from a scheduler, ``kill``, a closed terminal or Ctrl-C.

Without a handler all but SIGINT end the process at once, and a run would stay marked as running for ever. Slurm warns
by SIGUSR1 before a job's time is over, and a limit of processor time by SIGXCPU.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn, final

Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers
"""Whatever ``signal.signal`` takes."""
_NAMES = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")
_STOPPING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_INSIST_SECONDS = 10.0
"""Time after the first signal in which later ones are ignored, so that they cannot break the last save."""
_inside = 0
"""Number of the process that is inside a block of :func:`stop_signals_raise`; a fork of it is not."""


@final
@dataclass
class _Gate:
    """Signals of this process inside a block of :func:`stop_signals_raise`.

    Args:
        since: time of the last signal that was not ignored; None before the first.
        held: whether a signal waits for :func:`let_signals`.
        pending: number of the signal that waits, or None.
        handlers: the handlers of the block, by signal.
    """

    since: float | None = None
    held: bool = False
    pending: int | None = None
    handlers: dict[int, Handler] = field(default_factory=dict)


_gate = _Gate()


class Terminated(BaseException):
    """A signal asked the process to end.

    Args:
        signum: number of the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


@final
class StoppedTogether(Terminated):
    """One of several processes of a training was asked to end, and all of them end after the same step."""


class Stopped(BaseException):
    """An interruption that says how to go on; its cause is the interruption itself.

    Args:
        advice: what the process is to say at its end.
    """

    def __init__(self, advice: str) -> None:
        super().__init__(advice)


def is_interruption(error: BaseException) -> bool:
    """Whether somebody stopped the process on purpose.

    Lightning turns a ``KeyboardInterrupt`` into a ``SystemExit``, whose cause is checked too.

    Args:
        error: the exception that ended the work.
    """
    return isinstance(_cause(error), (KeyboardInterrupt, Terminated))


def exit_code(stop: BaseException) -> int:
    """Exit code of a process that a signal ended, as shells count it: 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        stop: an exception for which :func:`is_interruption` is true.
    """
    cause = _cause(stop)
    return 128 + (cause.signum if isinstance(cause, Terminated) else signal.SIGINT)


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, Stopped):
        return None if error.__cause__ is None else _cause(error.__cause__)
    return error.__context__ if isinstance(error, SystemExit) else error


@contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Turn the first signal inside the block into an exception: SIGINT into KeyboardInterrupt, others into Terminated.

    Later signals are ignored for ten seconds, in which the work is saved; then one raises again. A block inside another
    changes nothing. A signal that the caller ignores stays ignored.
    """
    global _inside, _gate
    if _inside == os.getpid() or threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    _inside, _gate = os.getpid(), _Gate()
    _gate.handlers = _stopping_handlers()
    try:
        with _handled(_gate.handlers):
            yield
    finally:
        _inside = 0


def _stopping_handlers() -> dict[int, Handler]:
    owner = os.getpid()

    def stop(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a forked data worker inherits the handler, not the run
            os._exit(128 + signum)
        first, now = _gate.since is None, time.monotonic()
        if _gate.since is not None and now - _gate.since < _INSIST_SECONDS:
            return
        _gate.since = now
        if not (first and _gate.held):
            raise _exception(signum)
        _gate.pending = signum

    handlers: dict[int, Handler] = {s: stop for s in _STOPPING if signal.getsignal(s) is not signal.SIG_IGN}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handlers[signal.SIGINT] = stop
    return handlers


def _exception(signum: int) -> BaseException:
    return KeyboardInterrupt() if signum == signal.SIGINT else Terminated(signum)


def hold_signals() -> None:
    """Let a first signal wait for :func:`let_signals`; one that comes ten seconds after it raises at once."""
    _gate.held = True


def let_signals() -> None:
    """Raise the exception of the signal that waits, if there is one; others raise at once again."""
    _gate.held = False  # before the look at what waits: from here on a signal raises by itself
    if _gate.pending is not None:
        raise _exception(_gate.pending)


def waiting_signal() -> int:
    """Return the number of the signal that waits for :func:`let_signals`; 0 if there is none."""
    return _gate.pending or 0


def stop_together(signum: int) -> NoReturn:
    """Raise for a signal that this process or another one of the training got; ignore later ones for ten seconds.

    Args:
        signum: number of the signal, the same in all processes.
    """
    _gate.since = time.monotonic()
    raise StoppedTogether(signum)


def own_signals() -> None:
    """Put the handlers of the block of :func:`stop_signals_raise` in the place of those that a library put there."""
    if _inside == os.getpid() and threading.current_thread() is threading.main_thread():
        for signum, handler in _gate.handlers.items():
            signal.signal(signum, handler)


def release_signals() -> None:
    """Hold no signal back, and forget one that waits: the work has ended by an exception of its own."""
    _gate.held, _gate.pending = False, None


@contextmanager
def signals_wait() -> Iterator[None]:
    """Ignore Ctrl-C and every signal that asks the process to end inside the block, for the last seconds of a run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _handled(dict.fromkeys((signal.SIGINT, *_STOPPING), signal.SIG_IGN)):
        yield


@contextmanager
def _handled(handlers: Mapping[int, Handler]) -> Iterator[None]:
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            # None: the handler was not installed from Python, and cannot be put back from it
            if handler is not None:
                signal.signal(signum, handler)
