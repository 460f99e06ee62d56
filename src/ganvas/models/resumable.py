"""The position of a training: images seen, updates, and the random state, so that a resumed run goes on bit for bit."""

from __future__ import annotations

from abc import ABC
from typing import Any

import pytorch_lightning as pl
import torch


class Resumable(pl.LightningModule, ABC):
    """Abstract: a module whose checkpoints hold its position.

    Attributes:
        images_seen: real images that the model has been shown, over all processes: the progress axis.
        updates: batches trained on, in this process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images_seen = 0
        self.updates = 0
        self._random_state: dict[str, Any] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the position and the random state in the checkpoint."""
        checkpoint["images_seen"] = self.images_seen
        checkpoint["updates"] = self.updates
        checkpoint["random_state"] = _random_state()
        # Lightning's loop counters would say that its one epoch is over, and a larger budget could not go on.
        checkpoint.pop("loops", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the position from the checkpoint; :meth:`on_train_start` restores the random state."""
        self.images_seen = checkpoint["images_seen"]
        self.updates = checkpoint["updates"]
        self._random_state = checkpoint["random_state"]

    def on_train_start(self) -> None:
        """Restore the random state last, so that nothing drawn during set-up moves it."""
        if self._random_state is not None:
            torch.set_rng_state(self._random_state["cpu"])
            torch.cuda.set_rng_state_all(self._random_state["cuda"])
            self._random_state = None


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}
