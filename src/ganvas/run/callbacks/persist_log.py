"""A checkpoint and the log before it belong together: a run that goes on from the one must find the other."""

from __future__ import annotations

from typing import Any, final

from pytorch_lightning import Callback, Trainer

from ganvas.tracking.run import Run


@final
class PersistLog(Callback):
    """Forces the log to the disk before a checkpoint is written.

    Args:
        run: the run whose log it is.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Lightning's hook."""
        self._run.persist()
