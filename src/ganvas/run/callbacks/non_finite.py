"""The callback that ends a run whose loss is NaN or infinite, because every later update is noise."""

from __future__ import annotations

import math
from typing import Any

from pytorch_lightning import Callback, Trainer

from ganvas.objectives.terms import numbers
from ganvas.processes import each_over_processes
from ganvas.run.callbacks.every import Every
from ganvas.tracking.outcomes import NonFiniteError
from ganvas.types import Watched


def raise_if_not_finite(model: Watched) -> None:
    """Raise an error if one of the model's latest terms is not finite, in any process: then all of them stop together.

    Args:
        model: the model in training.

    Raises:
        NonFiniteError: a term is NaN or infinite; names the first one.
    """
    for term, value in numbers(each_over_processes(model.terms)).items():
        if not math.isfinite(value):
            raise NonFiniteError(f"loss term {term!r}", value, model.images_seen)


def raise_if_weights_not_finite(model: Watched) -> None:
    """Raise an error if a weight is not finite: the update after the latest terms may have broken it.

    Args:
        model: the model in training.

    Raises:
        NonFiniteError: a weight is NaN or infinite; names the first one.
    """
    for name, weight in model.named_parameters():
        if not (finite := weight.isfinite()).all():
            raise NonFiniteError(f"weight {name!r}", float(weight[~finite][0]), model.images_seen)


class StopWhenNotFinite(Callback):
    """Checks the terms at regular intervals; each check waits for the device.

    Args:
        every: images between two checks; 1 checks after every batch.
    """

    def __init__(self, every: int) -> None:
        self._every = Every(every)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._every.start(pl_module.images_seen)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Check when due, and after the last batch."""
        if self._every.due(pl_module.images_seen) or trainer.should_stop:
            raise_if_not_finite(pl_module)
