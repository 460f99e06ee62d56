"""One worker of a study: takes trials, launches their jobs and ends the trials, until no trial is left to take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from optuna.trial import TrialState

from ganvas.sweeps.heartbeat import beating
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import checkpoint
from ganvas.sweeps.lease import Lease, Leases
from ganvas.sweeps.overrides import quoted
from ganvas.sweeps.racing import FIRST, Race
from ganvas.sweeps.seeds import objective_of
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.study import Job, Study, Trial
from ganvas.tracking.outcomes import FINISHED, INTERRUPTED, PRUNED
from ganvas.tracking.signals import signals_wait

Launch = Callable[[list[list[str]], int], None]
_POLL = 2.0
"""Seconds between two looks at a job that outlived its worker."""
_DEATHS = 2
"""How often a job is started whose process dies while the worker survives."""


@dataclass(frozen=True)
class Places:
    """Output folders of jobs: the same folder for the same study, configuration and seed.

    Args:
        root: folder of the sweep.
        prefix: folder between ``root`` and the trial's folder; empty if ``root`` belongs to the study alone.
    """

    root: Path
    prefix: str

    def subfolder(self, trial: Trial, seed: int) -> str:
        """Folder of one job, relative to ``root``."""
        return "/".join([*[self.prefix][: bool(self.prefix)], trial.hash, f"seed-{seed}"])

    def folder(self, trial: Trial, seed: int) -> Path:
        """Folder of one job."""
        return self.root / self.subfolder(trial, seed)


@final
class Worker:
    """Works on a study.

    Args:
        study: the study that all workers share.
        hierarchy: the study's runs in MLflow.
        settings: objectives, rounds of seeds, trials in one batch.
        leases: grants trials to this worker.
        places: output folders of jobs.
        fixed: overrides that every job has.
        launch: trains jobs; takes the overrides of each job and the number of the first one.
    """

    def __init__(
        self,
        study: Study,
        hierarchy: Hierarchy,
        settings: Settings,
        leases: Leases,
        places: Places,
        fixed: Sequence[str],
        launch: Launch,
    ) -> None:
        self._study, self._hierarchy, self._settings = study, hierarchy, settings
        self._leases, self._places, self._fixed, self._launch = leases, places, list(fixed), launch
        self._launched = 0

    def work(self) -> None:
        """Work until no trial is left that another worker does not hold."""
        mine: set[int] = set()
        with beating(self._study.storage, mine):
            for batch in self._batches():
                mine |= {lease.trial.id for lease in batch}
                try:
                    self._train(batch)
                except BaseException:
                    self._leave(batch)
                    raise
                mine.clear()

    def _batches(self) -> Iterator[list[Lease]]:
        while True:
            if batch := self._leases.take(self._settings.parallel):
                yield batch
            elif self._study.orphans():  # wait for a job that outlived its worker on this host
                time.sleep(_POLL)
            else:
                return

    def _train(self, batch: list[Lease]) -> None:
        seeds = max((len(lease.trial.seeds) for lease in batch), default=0)
        first = FIRST if self._settings.racing is not None else 1
        rounds = [(0, first), *((i, i + 1) for i in range(first, seeds))] if self._settings.in_rounds else [(0, seeds)]
        for start, stop in rounds:
            going_on = [lease for lease in batch if not self._is_out(lease.trial)]
            self._run([(lease, seed) for lease in going_on for seed in lease.trial.seeds[start:stop]])
        for lease in batch:
            self._settle(self._study.read(lease.trial.id), lease.run)

    def _run(self, wanted: list[tuple[Lease, int]]) -> None:
        while pending := [(lease, seed) for lease, seed in wanted if not self._is_done(lease, seed)]:
            overrides = [self._overrides(lease, seed) for lease, seed in pending]
            failure: Exception | None = None
            try:
                self._launch(overrides, self._launched)
            except Exception as error:  # a process of the launcher died; its unfinished jobs are counted below
                failure = error
            self._launched += len(overrides)
            for lease, seed in pending:
                self._count_death(lease.trial, seed, failure)

    def _is_done(self, lease: Lease, seed: int) -> bool:
        trial, run = lease.trial, lease.run
        job = self._study.read(trial.id).jobs.get(seed)
        if job is None or job.done:
            return job is not None
        path = self._places.folder(trial, seed) / "result.json"
        if not path.exists():
            return False
        result = json.loads(path.read_text())
        if not self._hierarchy.is_finished(result["run_id"], run):
            return False
        # The process was killed after training, before it recorded the job.
        scores = {key: score["value"] for key, score in result["scores"].items()}
        known = {"run_id": result["run_id"], "output": result["output"]}
        done = replace(job, state="done", outcome=FINISHED, scores=scores, owner=None, **known)
        self._study.set_job(trial.id, seed, done)
        return True

    def _overrides(self, lease: Lease, seed: int) -> list[str]:
        trial, run = lease.trial, lease.run
        folder = self._places.folder(trial, seed)
        own = {
            "seed": str(seed),
            "tracking.parent": quoted(run),
            "tracking.trial": str(trial.number),
            "tracking.label": quoted(trial.label),
            "hydra.sweep.dir": quoted(str(self._places.root)),
            "hydra.sweep.subdir": quoted(self._places.subfolder(trial, seed)),
        }
        if begun := self._hierarchy.seed_run(run, seed) if seed in trial.jobs else None:
            own["tracking.run_id"] = quoted(begun)
        if seed in trial.jobs and (saved := checkpoint(folder)):
            own["resume"] = quoted(str(saved))
        values = trial.values
        return [*self._fixed, *(f"{key}={value}" for key, value in {**values, **own}.items())]

    def _count_death(self, trial: Trial, seed: int, failure: Exception | None) -> None:
        job = self._study.read(trial.id).jobs.get(seed, Job())
        if job.done:
            return
        reason = f"its process died: {failure}" if failure else "its process ended without recording an outcome"
        job = replace(job, deaths=job.deaths + 1, owner=None)
        if job.deaths >= _DEATHS:
            job = replace(job, state="done", outcome=INTERRUPTED, reason=f"{reason} (twice)"[:1000])
        self._study.set_job(trial.id, seed, job)

    def _is_out(self, trial: Trial) -> bool:
        jobs = self._study.read(trial.id).jobs
        if any(job.outcome == PRUNED for job in jobs.values()):
            return True
        if self._settings.racing is None:
            return False
        others = [other for other in self._study.trials() if other.id != trial.id]
        race = Race(self._settings.racing, len(trial.seeds), self._leases.expected, self._settings.directions[0])
        return race.lost(self._values(jobs), [self._values(other.jobs) for other in others])

    def _values(self, jobs: dict[int, Job]) -> list[float]:
        key = self._settings.objectives[0]
        return [job.scores[key] for job in jobs.values() if job.outcome == FINISHED and key in job.scores]

    def _settle(self, trial: Trial, run: str) -> None:
        for seed, job in trial.jobs.items():
            if job.outcome != FINISHED and not job.run_id:
                made = self._hierarchy.failed_run(run, trial, seed, job.outcome, job.reason)
                self._study.set_job(trial.id, seed, replace(job, run_id=made))
        self._hierarchy.end_trial(run, trial)
        jobs = trial.jobs.values()
        self._study.set(trial.id, "failures", sum(job.outcome != FINISHED for job in jobs))
        pruned = any(job.outcome == PRUNED for job in jobs)
        values = self._objectives([job.scores for job in jobs if job.outcome == FINISHED])
        if pruned:
            self._study.tell(trial, None, TrialState.PRUNED)
        else:
            state = TrialState.FAIL if values is None else TrialState.COMPLETE
            self._study.tell(trial, values, state)

    def _objectives(self, scores: Sequence[Any]) -> list[float] | None:
        pairs = zip(self._settings.objectives, self._settings.directions, strict=False)
        values = [objective_of(scores, key, direction, self._settings.aggregate) for key, direction in pairs]
        found = [value for value in values if value is not None]
        return found if found and len(found) == len(values) else None

    def _leave(self, batch: list[Lease]) -> None:
        """Give the trials back when the worker is stopped, so that another worker can take them at once."""
        with signals_wait():
            for lease in batch:
                for seed, job in self._study.read(lease.trial.id).jobs.items():
                    if not job.done:
                        self._study.set_job(lease.trial.id, seed, replace(job, owner=None))
                self._leases.release(lease.trial)
                self._hierarchy.end(lease.run, "KILLED")
