"""Progress of anything that counts: a live bar on a terminal, plain lines at intervals elsewhere.

A long step deep inside a command says how far it is by :func:`counted`; the command decides by :func:`stages_shown`
whether and where this is seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, final, runtime_checkable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganvas.storage.best_effort import BestEffort

T = TypeVar("T", bound=Sized)
_REFRESH_SECONDS = 0.25
_LINE_SECONDS = 30.0
_LINE_SHARE = 0.1
_BAR_WIDTH = 20
_PATIENCE = 0.5
"""Seconds that a stage may take without being shown."""

_alone: ContextVar[bool] = ContextVar("alone", default=True)
"""Whether this process has the terminal for itself; two live bars would overwrite each other."""


@runtime_checkable
class Display(Protocol):
    """Shows how far something is."""

    def due(self, done: int, now: float) -> bool:
        """Whether it is time to show something again."""

    def show(self, done: int, now: float, pace: str, details: str) -> None:
        """Show the pace and, on a line below if there is one, details."""

    def close(self) -> None:
        """End the display and leave its last state."""


@final
class Bar:
    """A live bar with a line of details below; the caller's loop redraws it, so that no thread competes with it.

    Args:
        console: a terminal.
        total: number at which the bar is full.
        transient: whether the bar disappears at its end.
    """

    def __init__(self, console: Console, total: int, transient: bool = False) -> None:
        self._total = total
        self._live = Live(console=console, auto_refresh=False, transient=transient)
        self._last = 0.0

    def due(self, done: int, now: float) -> bool:
        """See :class:`Display`: at most four times a second."""
        return now - self._last >= _REFRESH_SECONDS

    def show(self, done: int, now: float, pace: str, details: str) -> None:
        """See :class:`Display`."""
        self._last = now
        if not self._live.is_started:
            self._live.start()
        row = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(total=self._total, completed=done, width=_BAR_WIDTH)
        row.add_row(bar, Text(pace, no_wrap=True, overflow="ellipsis"))
        below = [Text(details, style="dim", no_wrap=True, overflow="ellipsis")] if details else []
        self._live.update(Group(row, *below), refresh=True)

    def close(self) -> None:
        """See :class:`Display`."""
        self._live.stop()


@final
class Lines:
    """Plain lines, at intervals.

    Args:
        console: a file or pipe.
        label: beginning of each line, because lines of several processes may meet in one file.
        total: number at the end.
        done: number at the beginning.
        share: share of the total after which a line is written, if half a minute is not over sooner.
    """

    def __init__(self, console: Console, label: str, total: int, done: int, share: float = _LINE_SHARE) -> None:
        self._console, self._label, self._step = console, label, share * total
        self._last = (done, time.monotonic())

    def due(self, done: int, now: float) -> bool:
        """See :class:`Display`."""
        return done - self._last[0] >= self._step or now - self._last[1] >= _LINE_SECONDS

    def show(self, done: int, now: float, pace: str, details: str) -> None:
        """See :class:`Display`."""
        self._last = (done, now)
        self._console.file.write(f"{self._label} {pace}{'  ' if details else ''}{details}\n")
        self._console.file.flush()

    def close(self) -> None:
        """See :class:`Display`."""


@contextmanager
def lines_only() -> Iterator[None]:
    """Show no live bar inside the block, since other processes write to the same terminal."""
    token = _alone.set(False)
    try:
        yield
    finally:
        _alone.reset(token)


def is_live(console: Console) -> bool:
    """Whether a live bar can be shown.

    Args:
        console: where it would be shown.
    """
    return console.is_terminal and _alone.get()


def pace(done: int, total: int, what: str, since: tuple[int, float], now: float) -> str:
    """Say how far something is, how fast it goes and how long it takes: ``200/400 images  50/s  0:04 left``.

    Args:
        done: number so far.
        total: number at the end.
        what: what is counted.
        since: number and time at which the clock was started.
        now: time on the same clock, in seconds.
    """
    rate = (done - since[0]) / max(now - since[1], 1e-9)
    left = max(0, total - done) / rate if rate > 0 else 0.0
    return f"{done:,}/{total:,} {what}  {rate:,.0f}/s  {clock(left)} left"


def clock(seconds: float) -> str:
    """Write a duration as ``m:ss`` or ``h:mm:ss``.

    Args:
        seconds: the duration.
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def duration(seconds: float) -> str:
    """Write a duration in words, as a person would: ``20 s``, ``3 min``, ``2 h 40 min``.

    Args:
        seconds: the duration.
    """
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def plural(n: int, what: str) -> str:
    """Write a number of things: ``1 run``, ``2 runs``.

    Args:
        n: the number.
        what: one of the things.
    """
    return f"{n:,} {what}{'s' * (n != 1)}"


def value_and_half(score: Mapping[str, Any]) -> tuple[str, str]:
    """Write the value of a score, and half of its interval; the half is empty for a score without one.

    Args:
        score: ``value`` and ``interval``, as ``result.json`` holds them.
    """
    interval = score["interval"]
    return f"{score['value']:.4g}", "" if interval is None else f"{(interval[1] - interval[0]) / 2:.2g}"


def plus_minus(score: Mapping[str, Any]) -> str:
    """Write a score as ``21.28 ± 0.09``.

    Args:
        score: see :func:`value_and_half`.
    """
    value, half = value_and_half(score)
    return f"{value} ± {half}" if half else value


# Stages: long steps between the end of a training and its result.

_stage: ContextVar[Callable[[int], Display] | None] = ContextVar("stage", default=None)


@contextmanager
def stages_shown(label: str, console: Console | None = None) -> Iterator[None]:
    """Show every stage inside the block that takes longer than half a second.

    Args:
        label: name of what is worked on, at the beginning of plain lines.
        console: output; None is standard output.
    """
    out = console or Console()

    def make(total: int) -> Display:
        # Plain lines only after each half minute: a stage is short against the training.
        return Bar(out, total, transient=True) if is_live(out) else Lines(out, label, total, 0, share=float("inf"))

    token = _stage.set(make)
    try:
        yield
    finally:
        _stage.reset(token)


def counted(what: str, batches: Iterable[T], total: int) -> Iterator[T]:
    """Yield the batches, and show how many of their items are done where :func:`stages_shown` says so.

    Args:
        what: what is counted, with a verb: ``samples drawn``.
        batches: batches of any kind that has a length.
        total: number of items in all batches.
    """
    make = _stage.get()
    if make is None:
        yield from batches
        return
    display, output, done, begun = make(total), BestEffort("progress"), 0, 0.0
    try:
        for batch in batches:
            begun = begun or time.monotonic()  # the first batch may wait for a stage of its own
            yield batch
            done += len(batch)
            now = time.monotonic()
            if now - begun >= _PATIENCE and display.due(done, now):
                said = pace(done, total, what, (0, begun), now)
                output(lambda done=done, now=now, said=said: display.show(done, now, said, ""))  # type: ignore[misc]
    finally:
        output(display.close)
