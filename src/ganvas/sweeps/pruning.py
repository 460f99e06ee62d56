"""Pruning: the first seed of a trial is stopped in training if its scores or its health are bad.

In training the objective ``score/...`` is called ``val/...``: the same metric on another split and fewer images. A
pruner compares such a value with those of earlier trials at the same number of images. A health check needs no other
trial: one warning prunes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, PatientPruner

from ganvas.health.finding import Finding
from ganvas.sweeps.samplers import named
from ganvas.sweeps.study import Study
from ganvas.tracking.outcomes import Pruned

PRUNERS: Mapping[str, Callable[[int, int], BasePruner]] = {
    "none": lambda every, images: NopPruner(),
    "median": lambda every, images: MedianPruner(n_startup_trials=4),
    "hyperband": lambda every, images: HyperbandPruner(min_resource=every, max_resource=images, reduction_factor=3),
    "patient": lambda every, images: PatientPruner(MedianPruner(n_startup_trials=4), patience=1),
}


def make_pruner(name: str, every: int, images: int) -> BasePruner:
    """Make the pruner of a study; its resource is images seen.

    Args:
        name: key of :data:`PRUNERS`.
        every: images between two scores in training.
        images: images in the budget of a run.

    Raises:
        SweepError: an unknown name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return named(PRUNERS, "pruner", name)(every, images)


@final
class PruneOnScore:
    """Listener that passes scores in training to the study, and ends the run if the study's pruner says so.

    Args:
        study: holds the trial and the pruner.
        trial_id: Optuna's id of the trial.
        objective: key of the score, ``score/...``.
    """

    def __init__(self, study: Study, trial_id: int, objective: str) -> None:
        self._study, self._trial_id = study, trial_id
        self._key = objective.replace("score/", "val/", 1)

    def __call__(self, scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
        """Record the objective's value and ask the pruner.

        Args:
            scores: scores in training by key.
            findings: unused.
            images_seen: images seen when the scores were measured.

        Raises:
            Pruned: the pruner stops the trial.
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
class PruneOnHealth:
    """Listener that ends the run at the first warning of a chosen health check.

    Args:
        checks: names from :data:`ganvas.health.findings.IN_TRAINING`.
    """

    checks: tuple[str, ...]

    def __call__(self, scores: Mapping[str, float], findings: Iterable[Finding], images_seen: int) -> None:
        """Look for a warning of the chosen checks.

        Args:
            scores: unused.
            findings: findings of all health checks of the run.
            images_seen: images seen when the checks were made.

        Raises:
            Pruned: a chosen check warns.
        """
        for finding in findings:
            if finding.name in self.checks and finding.state == "warn":
                raise Pruned(f"{finding.name} warns after {images_seen:,} images: {finding.reason}")
