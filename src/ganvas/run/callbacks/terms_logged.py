"""Loss terms, gradient norms and speed to MLflow: ``train/<term>``, ``train/<player>/gradient_norm``, images a second.

A term is the latest batch's value, not a mean over the interval: reading it is the only time the
loop waits for the device.
"""

from __future__ import annotations

import math
import time
from typing import Any

from pytorch_lightning import Callback, Trainer

from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.history import History
from ganvas.run.callbacks.terms import read
from ganvas.run.callbacks.watched import Watched
from ganvas.tracking.run import Run


class LogTerms(Callback):
    """Logs the model's ``terms`` and gradient norms, and keeps them in ``history``, which checkpoints hold.

    Args:
        run: where to.
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
        """Log when due."""
        if self._every.due(pl_module.images_seen):
            self._log(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Log where training ended."""
        if pl_module.images_seen > self._since[0]:
            self._log(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The history, so that a resumed run is judged as a whole."""
        return self.history.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the history."""
        self.history.restore(state_dict)

    def _log(self, model: Watched) -> None:
        found = read({**model.terms, **model.gradient_norms()})
        self.history.add({name: value for name, value in found.items() if _counts(name, value, model)})
        values = {f"train/{name}": value for name, value in found.items()}
        seen, now = model.images_seen, time.perf_counter()
        values["train/images_per_second"] = (seen - self._since[0]) / (now - self._since[1])
        self._since = (seen, now)
        self._run.metrics(values, step=seen)


def _counts(name: str, value: float, model: Watched) -> bool:
    """All but the infinite gradients of updates that loss scaling skips."""
    return math.isfinite(value) or not (model.skips_updates and name.endswith("/gradient_norm"))
