"""Steps that a signal does not cut in two, so that the last save is a state that an undisturbed run has too.

Several processes stop after the same step, whichever of them got the signal: one that left alone would make the others
wait for it, and a checkpoint is saved by all together.
"""

from __future__ import annotations

from typing import Any, final

import torch
from pytorch_lightning import Callback, Trainer

from ganvas.processes import group_of_processors, largest_of_all
from ganvas.run.further import release
from ganvas.tracking.signals import (
    hold_signals,
    let_signals,
    own_signals,
    release_signals,
    stop_together,
    waiting_signal,
)


@final
class WholeSteps(Callback):
    """Lets a signal that asks for the end wait until the training step is over.

    Callbacks before it in the list see the whole step too. In one process those after it can be cut, as scoring takes
    long; in several they cannot.
    """

    def __init__(self) -> None:
        self._group: torch.distributed.ProcessGroup | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Hold signals back from now on where several processes train."""
        self._group = group_of_processors()
        if self._group is not None:
            own_signals()  # Lightning's handler would talk to the other processes from the middle of a step
            # Lightning asks the first process for its signals before each step, which we ask all of them after it.
            trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
            hold_signals()

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Hold signals back."""
        hold_signals()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Raise the exception of a signal that came in the meantime, to any process."""
        if self._group is None:
            let_signals()
        elif signum := largest_of_all(waiting_signal(), self._group):
            stop_together(signum)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Hold nothing back any more: the processes need each other no longer."""
        release(trainer)
        let_signals()

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Hold nothing back any more."""
        release(trainer)
        release_signals()
