"""The callback that ends training at its budget, in images seen."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, Trainer

from ganvas.types import Watched


class Budget(Callback):
    """Stops training after the batch that reaches the budget; a finished run that is resumed does not train further.

    Args:
        images: number of images that the model may see, at least 1.
    """

    def __init__(self, images: int) -> None:
        if images < 1:
            raise ValueError(f"budget.images must be at least 1, got {images}; set it to the real images to train on")
        self._images = images

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Stop at once if the budget is used up."""
        self._stop_at_end(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop when the budget is reached."""
        self._stop_at_end(trainer, pl_module)

    def _stop_at_end(self, trainer: Trainer, model: Watched) -> None:
        if model.images_seen >= self._images:
            trainer.should_stop = True
