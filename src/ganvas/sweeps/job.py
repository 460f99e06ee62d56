"""One job in the process that trains it, which the launcher chose; the job's outcome always reaches the study."""

from __future__ import annotations

import logging
import math
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from omegaconf import DictConfig

from ganvas.display import lines_only
from ganvas.run.callbacks.listeners import Listener, listening
from ganvas.storage.best_effort import BestEffort
from ganvas.storage.checkpoints import CheckpointError, newest
from ganvas.sweeps.heartbeat import beating
from ganvas.sweeps.outlook import Outlook
from ganvas.sweeps.pruning import PruneOnHealth, PruneOnScore, make_pruner
from ganvas.sweeps.storage import exclusively, open_storage
from ganvas.sweeps.study import OWNER, Direction, Job, Study
from ganvas.tracking.outcomes import ERROR, FINISHED, outcome
from ganvas.tracking.owner import Owner

_logger = logging.getLogger("ganvas.sweeps")


@final
@dataclass(frozen=True)
class SweepJob:
    """Hydra's task function of a sweep; it can be pickled.

    Args:
        task: trains a config and returns the content of ``result.json``.
        study: name of the study.
        storage: address of the study's storage.
        directions: ``minimize`` or ``maximize`` for each objective.
        objective: key of the first objective; None if the runs have no score.
        pruner: key of :data:`ganvas.sweeps.pruning.PRUNERS`.
        prune_on: names of health checks whose warning prunes too.
        threads: threads of torch for each job; None keeps torch's default.
        worker: the process that launches the jobs.
        explain: turns an exception into one line and an exit code.
        outlook: says after each run how many are left.
    """

    task: Callable[[DictConfig], Any]
    study: str
    storage: str
    directions: tuple[Direction, ...]
    objective: str | None
    pruner: str
    prune_on: tuple[str, ...]
    threads: int | None
    worker: Owner
    explain: Callable[[BaseException], tuple[str, int]]
    outlook: Outlook

    def __call__(self, cfg: DictConfig) -> None:
        """Train, and record the outcome in the study; an exception is an outcome, only an interruption is raised.

        Args:
            cfg: the composed config of the job.
        """
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        pruner = make_pruner(self.pruner, cfg.score.every or cfg.budget.images, cfg.budget.images)
        study = Study(self.study, open_storage(self.storage), self.directions, pruner)
        number: int = cfg.tracking.trial
        trial_id = study.storage.get_trial_id_from_study_id_trial_number(study.optuna._study_id, number)
        owner = Owner.me()
        with exclusively(study.storage, study.name):
            trial = study.read(trial_id)
            job = trial.jobs.get(cfg.seed, Job())
            # A job can wait in a cluster's queue for longer than its worker lives, and another worker does it then.
            if job.done or Owner.read(trial.attributes.get(OWNER)) != self.worker:
                _logger.info("trial %d, seed %d: done, or taken over by another worker", number, cfg.seed)
                return
            job = replace(job, state="running", owner=owner.as_dict())
            study.set_job(trial_id, cfg.seed, job)
        with nullcontext() if owner == self.worker else self._beside_others(study, trial_id):
            listeners = self._listeners(study, trial_id) if cfg.seed == trial.seeds[0] else []
            study.set_job(trial_id, cfg.seed, self._ended(cfg, job, listeners))
        BestEffort("outlook")(lambda: print(self.outlook.said(study), flush=True))

    @contextmanager
    def _beside_others(self, study: Study, trial_id: int) -> Iterator[None]:
        """Beat as a process of its own, whose terminal other jobs may write to."""
        with beating(study.storage, {trial_id}), lines_only():
            yield

    def _listeners(self, study: Study, trial_id: int) -> list[Listener]:
        found: list[Listener] = [PruneOnHealth(self.prune_on)] if self.prune_on else []
        if self.pruner != "none" and self.objective is not None:
            found.append(PruneOnScore(study, trial_id, self.objective))
        return found

    def _ended(self, cfg: DictConfig, job: Job, listeners: list[Listener]) -> Job:
        try:
            with listening(listeners):
                result = self.task(cfg)
        except Exception as error:
            word = outcome(error)
            if word == ERROR and os.environ.get("GANVAS_DEBUG") == "1":
                traceback.print_exc()
            reason, code = self.explain(error)
            return replace(job, state="done", outcome=word, reason=reason, owner=None, exit_code=code)
        scores = {
            key: score["value"] for key, score in result.get("scores", {}).items() if math.isfinite(score["value"])
        }
        known = {"run_id": result.get("run_id", ""), "output": result.get("output", "")}
        return replace(job, state="done", outcome=FINISHED, scores=scores, owner=None, **known)


def checkpoint(folder: Path) -> Path | None:
    """Path of the checkpoint that an interrupted job resumes from; None if it left none that can be believed.

    Args:
        folder: output folder of the job.
    """
    try:
        path = newest(folder)
    except CheckpointError as error:
        _logger.warning("%s. The job begins anew", error)
        return None
    return None if path is None else path.absolute()
