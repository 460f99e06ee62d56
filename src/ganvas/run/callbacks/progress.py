"""The progress of a training: a live bar on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import time
from typing import Any

from pytorch_lightning import Callback, Trainer
from rich.console import Console

from ganvas.display import Bar, Display, Lines, is_live, pace
from ganvas.objectives.terms import numbers
from ganvas.storage.best_effort import BestEffort
from ganvas.types import Watched


class ProgressLine(Callback):
    """Shows images seen of the budget, images per second, time left, the headline terms and the last score.

    Args:
        budget: images at which the training ends.
        label: name of the run: on a terminal once on a line of its own, else at the beginning of each line.
        console: output; None is standard output.
        about: a line that is shown once at the beginning; empty for none.
    """

    def __init__(self, budget: int, label: str, console: Console | None = None, about: str = "") -> None:
        self._budget = budget
        self._label, self._about = label, about
        self._console = console or Console()
        self._display: Display | None = None
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
        if is_live(self._console):
            for line in filter(None, (self._label, self._about)):
                self._console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._display = Bar(self._console, self._budget)
        else:
            if self._about:
                self._console.file.write(f"{self._label}: {self._about}\n")
            self._display = Lines(self._console, self._label, self._budget, seen)

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
        display, seen = self._display, model.images_seen
        said, details = pace(seen, self._budget, "images", self._start, now), self._details(model)
        self._shown = seen
        self._output(lambda: display.show(seen, now, said, details))

    def _details(self, model: Watched) -> str:
        terms = numbers({name: model.terms[name] for name in model.headline if name in model.terms})
        parts = [f"{name} {value:.4g}" for name, value in terms.items()]
        return "  ".join([*parts, self._score] if self._score else parts)

    def _close(self) -> None:
        if self._display is not None:
            self._output(self._display.close)
        self._display = None
