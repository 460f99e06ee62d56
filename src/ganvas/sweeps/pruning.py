"""Pruning: the first seed of a configuration reports its scores and its health in training, and may be told to stop.

What the objective is called ``score/...`` at the end is ``val/...`` in training: another split and fewer images, the
same metric. A pruner compares such values with those of earlier configurations at the same number of images. A health
check needs no other configuration: a warning is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from ganvas.health.finding import Finding
from ganvas.sweeps.study import Study
from ganvas.tracking.outcomes import Pruned


@final
class Report:
    """Hears scores in training, and hands them to the study.

    Args:
        study: with its pruner.
        trial_id: of the configuration.
        objective: key of the score, ``score/...``.
    """

    def __init__(self, study: Study, trial_id: int, objective: str) -> None:
        self._study, self._trial_id = study, trial_id
        self._key = objective.replace("score/", "val/", 1)

    def __call__(self, scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
        """Report; raise where the pruner says so.

        Args:
            scores: by key.
            findings: not looked at.
            images_seen: when they were measured.

        Raises:
            Pruned: the configuration is not worth its remaining budget.
        """
        if self._key not in scores:
            return
        value, study = scores[self._key], self._study.optuna
        self._study.storage.set_trial_intermediate_value(self._trial_id, images_seen, value)
        trial = self._study.storage.get_trial(self._trial_id)
        if study.pruner.prune(study, trial):
            name = type(study.pruner).__name__
            raise Pruned(f"{self._key} is {value:.4g} after {images_seen:,} images ({name})")


@final
@dataclass(frozen=True)
class Unhealthy:
    """Ends a run at the first warning of some health checks.

    Args:
        checks: names, of :data:`ganvas.health.findings.IN_TRAINING`.
    """

    checks: tuple[str, ...]

    def __call__(self, scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
        """Look at the findings.

        Args:
            scores: not looked at.
            findings: on the run.
            images_seen: when they were given.

        Raises:
            Pruned: one of the checks warns.
        """
        for finding in findings:
            if finding.name in self.checks and finding.state == "warn":
                raise Pruned(f"{finding.name} warns after {images_seen:,} images: {finding.reason}")
