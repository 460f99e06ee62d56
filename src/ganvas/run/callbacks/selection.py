"""Selection of the best checkpoint by one score in training; it is kept as ``best.ckpt``.

The score that it was chosen by is biased, because it was chosen for it. So the best checkpoint is scored again after
training, on another split and from other samples.
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

from pytorch_lightning import Trainer

from ganvas.metrics.registry import lower_is_better
from ganvas.run.callbacks.checkpoints import write_atomically
from ganvas.scoring.protocol import Protocol
from ganvas.storage.checkpoints import BEST, CheckpointError, read

_logger = logging.getLogger("ganvas.tracking")


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that was scored.

    Args:
        value: score of the checkpoint.
        images_seen: images that the model had seen then.
    """

    value: float
    images_seen: int


@final
class Selection:
    """Keeps the checkpoint with the best score so far.

    Args:
        key: key of the score to choose by, ``score/<extractor>/<metric>``; the metric knows which way is better.
        protocol: protocol of that score; a resumed run continues its choice only if the protocol is the same.
        folder: folder of ``best.ckpt``.
        earlier: called in a resumed run; returns the ``best.ckpt`` of the run that it resumes, or None.
    """

    def __init__(self, key: str, protocol: Protocol, folder: Path, earlier: Callable[[], Path | None]) -> None:
        self.key, self.protocol = key, protocol
        self.higher = lower_is_better(key) is False
        self.path = folder / BEST
        self.best: Candidate | None = None
        self.latest: Candidate | None = None
        self._earlier = earlier

    def offer(self, trainer: Trainer, scores: Mapping[str, float], images_seen: int) -> None:
        """Keep the current weights if their score is the best so far; of two equal scores the earlier one stays.

        Args:
            trainer: all its processes call this together; the first one decides.
            scores: scores by key, among them the one to choose by.
            images_seen: images that the model has seen.
        """
        self.latest = Candidate(float(scores[self.key]), images_seen)
        if trainer.strategy.broadcast(self._improves(self.latest.value)):
            self.best = self.latest
            write_atomically(trainer, self.path)

    def gain(self, best: float, other: float) -> float:
        """Compute by how much one score is better than another; negative if it is worse.

        Args:
            best: one value of the metric.
            other: another value.
        """
        return best - other if self.higher else other - best

    def state(self) -> dict[str, Any]:
        """Return the plain values that a checkpoint stores."""
        return {
            "measured": self._measured(),
            "best": self.best and asdict(self.best),
            "latest": self.latest and asdict(self.latest),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue the choice of a checkpoint, if the score is the same and the best weights are still available.

        Args:
            state: :meth:`state` of an earlier part of the same run.
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
        """Whether the weights are available; they are copied from the earlier run if necessary."""
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
    """Whether a file holds the weights that were chosen; a damaged one counts as missing."""
    if not path.is_file():
        return False
    try:
        return read(path)["images_seen"] == best.images_seen
    except CheckpointError as error:
        _logger.warning("%s", error)
        return False
