"""The progress of a training: one live line on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import time
from typing import Any, Protocol

from pytorch_lightning import Callback, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ganvas.objectives.terms import numbers
from ganvas.storage.best_effort import BestEffort
from ganvas.types import Watched

_REFRESH_SECONDS = 0.25
_LINE_SECONDS = 30.0
_LINE_SHARE = 0.1


class _Display(Protocol):
    def due(self, seen: int, now: float) -> bool: ...

    def show(self, seen: int, now: float, text: str) -> None: ...

    def close(self) -> None: ...


class _Bar:
    """The live line; the training loop redraws it at most four times a second, so that no thread competes with it."""

    def __init__(self, console: Console, budget: int, seen: int) -> None:
        columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
        self._bar = Progress(*columns, console=console, auto_refresh=False)
        self._task = self._bar.add_task("", total=budget, completed=seen)
        self._last = 0.0
        self._bar.start()

    def due(self, seen: int, now: float) -> bool:
        return now - self._last >= _REFRESH_SECONDS

    def show(self, seen: int, now: float, text: str) -> None:
        self._last = now
        self._bar.update(self._task, completed=seen, description=text, refresh=True)

    def close(self) -> None:
        self._bar.stop()


class _Lines:
    """Plain lines: one for each tenth of the budget, or one every half minute if that is sooner."""

    def __init__(self, console: Console, budget: int, seen: int) -> None:
        self._console = console
        self._share = _LINE_SHARE * budget
        self._last = (seen, time.monotonic())

    def due(self, seen: int, now: float) -> bool:
        return seen - self._last[0] >= self._share or now - self._last[1] >= _LINE_SECONDS

    def show(self, seen: int, now: float, text: str) -> None:
        self._last = (seen, now)
        self._console.file.write(f"{text}\n")
        self._console.file.flush()

    def close(self) -> None:
        pass


class ProgressLine(Callback):
    """Shows images seen of the budget, images per second, time left, the headline terms and the last score.

    Args:
        budget: images at which the training ends.
        label: name of the run, at the beginning of the line.
        console: output; None is standard output.
    """

    def __init__(self, budget: int, label: str, console: Console | None = None) -> None:
        self._budget = budget
        self._label = label
        self._console = console or Console()
        self._display: _Display | None = None
        self._score = ""
        self._start = (0, 0.0)
        self._shown = -1
        self._output = BestEffort("progress")

    def show_score(self, text: str) -> None:
        """Show a score behind the terms from now on.

        Args:
            text: name and value of the score.
        """
        self._score = text

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Open the display in the first process."""
        self._start = (pl_module.images_seen, time.monotonic())
        if trainer.is_global_zero:
            self._output(lambda: self._open(pl_module.images_seen))

    def _open(self, seen: int) -> None:
        display = _Bar if self._console.is_terminal else _Lines
        self._display = display(self._console, self._budget, seen)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Refresh when due; only then the terms are read from the device."""
        now = time.monotonic()
        if self._display is not None and self._display.due(pl_module.images_seen, now):
            self._show(pl_module, now)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Show the last state and leave it on the screen."""
        if self._display is not None and self._shown != pl_module.images_seen:
            self._show(pl_module, time.monotonic())
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Close the display."""
        self._close()

    def _show(self, model: Watched, now: float) -> None:
        assert self._display is not None
        display, text = self._display, self._text(model, now)
        self._shown = model.images_seen
        self._output(lambda: display.show(model.images_seen, now, text))

    def _text(self, model: Watched, now: float) -> str:
        seen, elapsed = model.images_seen, now - self._start[1]
        rate = (seen - self._start[0]) / max(elapsed, 1e-9)
        left = max(0, self._budget - seen) / rate if rate > 0 else 0.0
        terms = numbers({name: model.terms[name] for name in model.headline if name in model.terms})
        parts = [f"{self._label} {seen:,}/{self._budget:,} images", f"{rate:,.0f}/s", f"{_clock(left)} left"]
        parts += [f"{name} {value:.4g}" for name, value in terms.items()]
        return "  ".join([*parts, self._score] if self._score else parts)

    def _close(self) -> None:
        if self._display is not None:
            self._output(self._display.close)
        self._display = None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
