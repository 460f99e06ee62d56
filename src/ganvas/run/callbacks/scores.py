"""Scores in training: of few images, against the validation split, under ``val/<extractor>/<metric>``.

They serve to watch the training and to choose a checkpoint. The reported scores, ``score/...``, are measured after
training on the test split, with more images and other latents; they have other protocols, and so other names.

Processes share the work: each makes and extracts its part of the images, by index, and the sums and features are
gathered, so that the scores equal those of one process. All processes make their images with the buffers of the first
one, which its checkpoints store, because batch statistics differ between processes after a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from pytorch_lightning import Callback, Trainer
from torch import Tensor

from ganvas.data.source import Examples
from ganvas.health.findings import health_metrics, health_tags
from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.listeners import announce
from ganvas.run.callbacks.selection import Selection
from ganvas.scoring.streaming import StreamingScores
from ganvas.tracking.run import Run
from ganvas.types import Watched, to_uint8

BATCH = 250


@final
class ScoreEvery(Callback):
    """Logs the streamed scores of all extractors, shows the first, and offers the weights to the selection.

    Args:
        run: receives scores and findings.
        every: images between two scorings.
        reference: examples of the validation split.
        scores: accumulators of the scores, one for each extractor; each batch passes them all.
        n: number of images that all processes generate together each time.
        seed: seed of the latents, the same each time.
        show: called with name and value of the first score.
        selection: selection of the best checkpoint; None keeps no checkpoint.
    """

    def __init__(
        self,
        run: Run,
        every: int,
        reference: Examples,
        scores: Sequence[StreamingScores],
        n: int,
        seed: int,
        show: Callable[[str], None],
        selection: Selection | None,
    ) -> None:
        self._run = run
        self._every = Every(every)
        self._reference, self._scores = reference, scores
        self._n, self._seed = n, seed
        self._show = show
        self._selection = selection
        self._clock: Mapping[str, int] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Read this process' share of the reference, start the clock, and score if a process was stopped before it."""
        self._every.start(pl_module.images_seen, self._clock)
        if pl_module.device.type == "cuda":  # the only other device with the float64 that moments are summed in
            for scores in self._scores:
                scores.to(pl_module.device)
        for index in torch.arange(len(self._reference))[_share(trainer, len(self._reference))].split(BATCH):
            self._update(self._reference.batch(index), real=True)
        self._take_turn(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Score when due."""
        self._take_turn(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the clock and of the selection."""
        return {"clock": self._every.state(), **({} if self._selection is None else self._selection.state())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both."""
        self._clock = state_dict.get("clock")
        if self._selection is not None:
            self._selection.restore(state_dict)

    def _take_turn(self, trainer: Trainer, model: Watched) -> None:
        with self._every.turn(model.images_seen) as due:
            if due:
                self._score(trainer, model)

    def _update(self, batch: Tensor, real: bool) -> None:
        for scores in self._scores:
            scores.update(batch, real=real)

    def _score(self, trainer: Trainer, model: Watched) -> None:
        with _first_process_buffers(trainer, model):
            images = to_uint8(model.sample_part(self._n, self._seed, _share(trainer, self._n)))
        for batch in images.split(BATCH):
            self._update(batch, real=False)
        found = {key: score.value for scores in self._scores for key, score in scores.compute().items()}
        findings = next((judged for scores in self._scores if (judged := scores.findings())), ())
        for scores in self._scores:
            scores.reset()
        named = {key.replace("score/", "val/", 1): value for key, value in found.items()}
        # The result logs the findings on the final weights, from more images.
        self._run.metrics(named if trainer.should_stop else named | health_metrics(findings), step=model.images_seen)
        self._run.tags(health_tags(findings))
        name, value = next(iter(named.items()))
        self._show(f"{name} {value:.4g}")
        if self._selection is not None:
            self._selection.offer(trainer, found, model.images_seen)
        if trainer.is_global_zero:
            announce(named, findings, model.images_seen)


def _share(trainer: Trainer, n: int) -> slice:
    """This process' part of ``n`` items; the parts of all processes, in order, are the whole."""
    rank, processes = trainer.global_rank, trainer.world_size
    return slice(n * rank // processes, n * (rank + 1) // processes)


@contextmanager
def _first_process_buffers(trainer: Trainer, model: Watched) -> Iterator[None]:
    """Give all processes the buffers of the first one inside the block."""
    buffers = list(model.buffers()) if trainer.world_size > 1 else []
    kept = [buffer.clone() for buffer in buffers]
    for buffer in buffers:
        torch.distributed.broadcast(buffer, 0)
    yield
    for buffer, own in zip(buffers, kept, strict=True):
        buffer.copy_(own)
