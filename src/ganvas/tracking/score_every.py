"""Scores while training: a few images every so often, against the validation split, under ``val/<extractor>/<metric>``.

They are for watching and choosing; what a model is reported by is measured after training, on the test split, with more
images, and is called ``score/...``. The two have different protocols, and so different names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from ganvas.data.datamodule import DataModule
from ganvas.metrics.extractor import Extractor
from ganvas.metrics.settings import MetricSettings
from ganvas.metrics.streaming import StreamingScores
from ganvas.tracking.every import Every
from ganvas.tracking.listeners import announce
from ganvas.tracking.run import TrackedRun
from ganvas.tracking.silent import SilentRun
from ganvas.tracking.watched import Watched
from ganvas.types import to_uint8

BATCH = 250


class ScoreEvery(Callback):
    """Logs the streamed scores, and shows the first of them.

    Args:
        run: where to.
        every: images between two scorings.
        data: its ``val`` split is the reference.
        extractor: of features.
        settings: of the metrics.
        n: images to generate each time.
        seed: of their latents, the same each time.
        show: called with the first score and its name.
    """

    def __init__(
        self,
        run: TrackedRun | SilentRun,
        every: int,
        data: DataModule,
        extractor: Extractor,
        settings: MetricSettings,
        n: int,
        seed: int,
        show: Callable[[str], None],
    ) -> None:
        self._run = run
        self._every = Every(every)
        self._scores = StreamingScores(extractor, settings)
        self._n, self._seed = n, seed
        self._show = show
        reference = data.examples("val")
        for index in torch.arange(len(reference)).split(BATCH):
            self._scores.update(reference.batch(index), real=True)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._every.start(pl_module.images_seen)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Score when due."""
        if self._every.due(pl_module.images_seen) and trainer.is_global_zero:
            self._score(pl_module)

    def _score(self, model: Watched) -> None:
        for batch in to_uint8(model.sample(self._n, self._seed)).split(BATCH):
            self._scores.update(batch, real=False)
        scores = {key.replace("score/", "val/", 1): score.value for key, score in self._scores.compute().items()}
        self._scores.reset()
        self._run.metrics(scores, step=model.images_seen)
        name, value = next(iter(scores.items()))
        self._show(f"{name} {value:.4g}")
        announce(scores, model.images_seen)
