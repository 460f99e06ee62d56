"""The position of a training: images seen, updates, and the random state, so that a resumed run goes on bit for bit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from ganvas.processes import of_all_processes


class Resumable(pl.LightningModule, ABC):
    """Abstract: a module whose checkpoints hold its position.

    Attributes:
        images_seen: real images that the model has been shown, over all processes: the progress axis.
        updates: batches trained on, in this process.
        terms: named loss terms of the latest updates; a generator's stay until it is updated again.
        earlier_norms: gradient norms of the updates before the checkpoint that the module was loaded from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.images_seen = 0
        self.updates = 0
        self.terms: dict[str, Tensor] = {}
        self.earlier_norms: dict[str, Tensor] = {}
        self._random_state: dict[str, Any] | None = None
        self._readings: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the position and the random state of each process in the checkpoint; all of them call this together."""
        checkpoint["images_seen"] = self.images_seen
        checkpoint["updates"] = self.updates
        checkpoint["random_states"] = of_all_processes(_random_state())
        checkpoint["terms"] = {name: term.detach().cpu() for name, term in self.terms.items()}
        checkpoint["gradient_norms"] = {name: norm.detach().cpu() for name, norm in self.gradient_norms().items()}
        # Lightning's loop counters would say that its one epoch is over, and a larger budget could not go on.
        checkpoint.pop("loops", None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the position from the checkpoint; :meth:`on_train_start` restores the random state."""
        self.images_seen = checkpoint["images_seen"]
        self.updates = checkpoint["updates"]
        # A checkpoint of an older version has the random state of the first process alone.
        states = checkpoint.get("random_states") or [checkpoint["random_state"]]
        self._random_state = states[self.global_rank] if self.global_rank < len(states) else None
        self._readings = checkpoint.get("terms", {}), checkpoint.get("gradient_norms", {})

    @abstractmethod
    def gradient_norms(self) -> dict[str, Tensor]:
        """Gradient norms of the latest updates, by name."""

    def on_train_start(self) -> None:
        """Restore the latest readings, and the random state last, so that nothing drawn during set-up moves it.

        Where there is none to restore, each process but the first begins a stream of its own: seeded alike, all would
        draw the same latents.
        """
        if self._readings is not None:
            readings = [{name: value.to(self.device) for name, value in part.items()} for part in self._readings]
            (self.terms, self.earlier_norms), self._readings = readings, None
        if self._random_state is not None:
            torch.set_rng_state(self._random_state["cpu"])
            torch.cuda.set_rng_state_all(self._random_state["cuda"])
            self._random_state = None
        elif self.global_rank > 0:
            torch.manual_seed(_seed(torch.initial_seed(), self.global_rank))


def _seed(seed: int, rank: int) -> int:
    """Derive the seed of a process; it is unrelated to those of other processes and of other trainings."""
    return int(np.random.SeedSequence((seed, rank)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _random_state() -> dict[str, Any]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}
