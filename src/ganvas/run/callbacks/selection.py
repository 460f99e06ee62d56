"""Which checkpoint is the best: chosen by one score in training, kept as ``best.ckpt``, reported by others.

The scores it is chosen by flatter it, since it was chosen for them; what it is worth is measured after training, on
another split and from other samples.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import torch
from pytorch_lightning import Trainer

from ganvas.metrics.registry import lower_is_better
from ganvas.run.callbacks.checkpoints import write_atomically
from ganvas.scoring.protocol import Protocol
from ganvas.storage.checkpoints import BEST

_logger = logging.getLogger("ganvas.tracking")


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that was scored.

    Args:
        value: its score.
        images_seen: when.
    """

    value: float
    images_seen: int


@final
class Selection:
    """Keeps the checkpoint with the best score so far.

    Args:
        key: of the score it goes by, ``score/<extractor>/<metric>``; the metric knows which way is better.
        protocol: how that score is measured; a resumed run goes on choosing only where it is the same.
        folder: where ``best.ckpt`` is kept.
        earlier: called on a resumed run for the ``best.ckpt`` of the run that it goes on with, or None.
    """

    def __init__(self, key: str, protocol: Protocol, folder: Path, earlier: Callable[[], Path | None]) -> None:
        self.key, self.protocol = key, protocol
        self.higher = lower_is_better(key) is False
        self.path = folder / BEST
        self.best: Candidate | None = None
        self.latest: Candidate | None = None
        self._earlier = earlier

    def offer(self, trainer: Trainer, scores: Mapping[str, float], images_seen: int) -> None:
        """Keep the weights as they are if their score is the best so far; the earlier of two equal ones stays.

        Args:
            trainer: all its processes call this together; the first one decides.
            scores: by key, among them the one that is chosen by.
            images_seen: by the model.
        """
        self.latest = Candidate(float(scores[self.key]), images_seen)
        if trainer.strategy.broadcast(self._improves(self.latest.value)):
            self.best = self.latest
            write_atomically(trainer, self.path)

    def gain(self, best: float, other: float) -> float:
        """By how much one score is better than another, positive where it is.

        Args:
            best: one value of the metric.
            other: the other.
        """
        return best - other if self.higher else other - best

    def state(self) -> dict[str, Any]:
        """For a checkpoint: plain values."""
        return {
            "measured": self._measured(),
            "best": self.best and asdict(self.best),
            "latest": self.latest and asdict(self.latest),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, where it was chosen by the same score and the best weights are still to be had.

        Args:
            state: of an earlier part of the same run.
        """
        if state["measured"] != self._measured() or state["best"] is None:
            return
        best = Candidate(**state["best"])
        if not self._fetch(best):
            _logger.warning(
                "the %s of %s images, chosen before, is not beside the checkpoint: choosing begins anew",
                *(BEST, f"{best.images_seen:,}"),
            )
            return
        self.best, self.latest = best, Candidate(**state["latest"])

    def _improves(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return self.best is None or self.gain(value, self.best.value) > 0

    def _measured(self) -> str:
        return f"{self.key} {self.protocol.fingerprint()} {self.protocol.recorded['sample_seed']}"

    def _fetch(self, best: Candidate) -> bool:
        """Whether the weights are at hand, brought from the earlier run where they must be."""
        if _holds(self.path, best):
            return True
        earlier = self._earlier()
        if earlier is None or not _holds(earlier, best):
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Every process of a distributed run brings it, each under its own name, and the last one stays.
        partial = self.path.with_name(f".{BEST}.{os.getpid()}.partial")
        shutil.copyfile(earlier, partial)
        os.replace(partial, self.path)
        return True


def _holds(path: Path, best: Candidate) -> bool:
    if not path.is_file():
        return False
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)["images_seen"] == best.images_seen
