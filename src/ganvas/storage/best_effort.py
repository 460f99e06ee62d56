"""Output that a command can do without: after its first failure it is off, and one line on stderr says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, final

_ERASE = "\r\x1b[2K"


def status(text: str) -> None:
    """Show what is being done until the next line of output takes its place; only on a terminal.

    Args:
        text: a few words.
    """
    if isinstance(sys.stdout, BestEffortStream):
        sys.stdout.status(text)


def complain(text: str) -> None:
    """Print a line to standard error, if that can be written.

    Args:
        text: the line, without the name of the program.
    """
    if isinstance(sys.stdout, BestEffortStream):
        sys.stdout.status("")
    # A live display puts itself before standard error, and may be what has failed.
    target = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
    with suppress(OSError, ValueError, AttributeError):  # full, closed, or None where it was closed from the start
        target.write(f"ganvas: {text}\n")
        target.flush()


@final
class BestEffort:
    """Calls functions until one fails; later ones are not called.

    Args:
        what: name of the output, for the message.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._failed = False

    def __call__(self, output: Callable[[], object]) -> None:
        """Call ``output``, unless an earlier call has failed."""
        if self._failed:
            return
        try:
            output()
        except (Exception, SystemExit) as error:  # rich ends the program where its pipe is closed
            self._failed = True
            reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
            complain(f"no more {self._what} ({reason}); the run goes on")


@final
class BestEffortStream:
    """A text stream that drops what its target no longer takes: a closed pipe, a closed terminal, a full disk.

    Args:
        target: the stream that is written to.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self._failed = False
        self._status = ""

    def status(self, text: str) -> None:
        """Show a status that the next text takes the place of; empty text removes it. A file gets none."""
        if text != self._status and not self._failed and self._target.isatty():
            self._try(lambda: self._target.write(f"{_ERASE}{text}"))
            self._try(self._target.flush)
            self._status = text

    def write(self, text: str) -> int:
        """Write ``text``, or drop it; returns its length."""
        if self._status and text:
            self.status("")
        self._try(lambda: self._target.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the target."""
        self._try(self._target.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def _try(self, act: Callable[[], object]) -> None:
        if self._failed:
            return
        try:
            act()
        except (OSError, ValueError) as error:
            self._failed = True
            complain(f"standard output cannot be written ({error}); its text is dropped, the command goes on")
            self._point_to_nothing()

    def _point_to_nothing(self) -> None:
        """Point the descriptor to the null device, for the target's buffer and for everybody else who writes to it."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._target.fileno())
            os.close(null)
            self._target.flush()


@contextmanager
def best_effort_stdout() -> Iterator[None]:
    """Let standard output fail inside the block without an error; one that was closed from the start is opened."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - takes the free descriptor, for good
    stream = BestEffortStream(sys.stdout)
    with redirect_stdout(stream):
        try:
            yield
        finally:
            stream.status("")
            stream.flush()
