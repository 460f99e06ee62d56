"""Findings on a run while it trains: tags ``ganvas.health.<name>`` (ok or warn) and metrics ``health/<name>``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from pytorch_lightning import Callback, Trainer

from ganvas.health.evidence import ShowsEvidence
from ganvas.health.finding import Finding
from ganvas.health.findings import finding_on, health_metrics, health_tags
from ganvas.run.callbacks.every import Every
from ganvas.run.callbacks.listeners import announce
from ganvas.run.callbacks.log_terms import History
from ganvas.tracking.run import Run
from ganvas.types import Batch


@final
class Health(Callback):
    """Makes findings from the evidence that the model shows, at regular intervals and at the end, in the first process.

    Args:
        run: receives the findings.
        every: images between two judgements; None judges at the end only.
        history: values of the logged terms.
        train: training examples to judge from.
        held_out: examples the model is not trained on, or None where the data have none.
    """

    def __init__(
        self,
        run: Run,
        every: int | None,
        history: History,
        train: Batch,
        held_out: Batch | None,
    ) -> None:
        self._run = run
        self._every = None if every is None else Every(every)
        self._history = history
        self._train, self._held_out = train, held_out
        self._judged: int | None = None
        self.findings: tuple[Finding, ...] = ()
        self._clock: Mapping[str, int] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Start the clock, and judge if a process was stopped before it."""
        if self._every is not None:
            self._every.start(pl_module.images_seen, self._clock)
        self._take_turn(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Judge when due."""
        self._take_turn(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Judge the final weights."""
        if self._judged != pl_module.images_seen and trainer.is_global_zero:
            self._judge(pl_module, is_last=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the clock."""
        return {} if self._every is None else {"clock": self._every.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the clock."""
        self._clock = state_dict.get("clock")

    def _take_turn(self, trainer: Trainer, model: ShowsEvidence) -> None:
        if self._every is None:
            return
        with self._every.turn(model.images_seen) as due:
            if due and trainer.is_global_zero:
                self._judge(model, is_last=trainer.should_stop)
                announce({}, self.findings, model.images_seen)

    def _judge(self, model: ShowsEvidence, is_last: bool) -> None:
        self._judged = model.images_seen
        shown = model.evidence(self._train, self._held_out, self._history.series())
        self.findings = tuple(finding_on(evidence) for evidence in shown)
        if not is_last:  # the result logs the last findings, together with those of the final scores
            self._run.metrics(health_metrics(self.findings), step=model.images_seen)
        self._run.tags(health_tags(self.findings))
