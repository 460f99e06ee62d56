"""Logging of loss terms, gradient norms and speed: ``train/<term>``, ``train/<player>/gradient_norm``, images a second.

A term is the value of the latest batch, not a mean over the interval: only its reading makes the loop wait for the
device.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, final

import torch
from jaxtyping import Float64
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganvas.objectives.terms import numbers
from ganvas.processes import each_over_processes
from ganvas.run.callbacks.every import Every
from ganvas.tracking.run import Run
from ganvas.types import Watched

KEPT = 2000
"""Latest values that are kept of each term: enough for ten runs at the default ``log.every``; small in a checkpoint."""


@final
class History:
    """The latest values of each term, oldest first, for findings on the run as a whole."""

    def __init__(self) -> None:
        self._values: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))

    def add(self, values: Mapping[str, float]) -> None:
        """Append one reading.

        Args:
            values: by term.
        """
        for name, value in values.items():
            self._values[name].append(value)

    def series(self) -> dict[str, Float64[Tensor, " t"]]:
        """Return the values by term."""
        return {name: torch.tensor(list(values), dtype=torch.float64) for name, values in self._values.items()}

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint stores."""
        return self.series()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restore what a checkpoint stores.

        Args:
            state: :meth:`state` of an earlier part of the same run.
        """
        self._values.clear()
        for name, values in state.items():
            self._values[name].extend(values.tolist())


@final
class LogTerms(Callback):
    """Logs the model's ``terms`` and gradient norms, and keeps them in ``history``, which checkpoints hold.

    Args:
        run: receives the numbers.
        every: images between two readings.
    """

    def __init__(self, run: Run, every: int) -> None:
        self._run = run
        self._every = Every(every)
        self._since = (0, 0.0)
        self.history = History()

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clocks."""
        self._every.start(pl_module.images_seen)
        self._since = (pl_module.images_seen, time.perf_counter())

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log when due, and after the last batch: before the last checkpoint, which a resumed run would begin at."""
        if self._every.due(pl_module.images_seen) or trainer.should_stop:
            self._log(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Log the last terms at an end that no callback asked for."""
        if pl_module.images_seen > self._since[0]:
            self._log(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the history, so that a resumed run is judged as a whole."""
        return self.history.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history."""
        self.history.restore(state_dict)

    def _log(self, model: Watched) -> None:
        found = numbers({**each_over_processes(model.terms), **model.gradient_norms()})
        self.history.add({name: value for name, value in found.items() if _counts(name, value, model)})
        values = {f"train/{name}": value for name, value in found.items()}
        seen, now = model.images_seen, time.perf_counter()
        values["train/images_per_second"] = (seen - self._since[0]) / (now - self._since[1])
        self._since = (seen, now)
        self._run.metrics(values, step=seen)


def _counts(name: str, value: float, model: Watched) -> bool:
    """Whether the value belongs to the history: not the infinite gradient of an update that loss scaling skips."""
    return math.isfinite(value) or not (model.skips_updates and name.endswith("/gradient_norm"))
