"""Steps that a signal does not cut in two, so that the last save is a state that an undisturbed run has too."""

from __future__ import annotations

from typing import Any, final

from pytorch_lightning import Callback, Trainer

from ganvas.tracking.signals import hold_signals, let_signals, release_signals


@final
class WholeSteps(Callback):
    """Lets a signal that asks for the end wait until the training step is over.

    Callbacks before it in the list see the whole step too; those after it can be cut, as scoring takes long.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Hold signals back."""
        hold_signals()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Raise the exception of a signal that came in the meantime."""
        let_signals()

    def on_exception(self, trainer: Trainer, pl_module: Any, exception: BaseException) -> None:
        """Hold nothing back any more."""
        release_signals()
