"""One worker of a study: takes configurations, has their jobs trained, settles them, until nothing is left to take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from optuna.trial import TrialState

from ganvas.sweeps.aggregate import objective_of
from ganvas.sweeps.heart import beating
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.job import checkpoint
from ganvas.sweeps.lease import Claims
from ganvas.sweeps.quoting import quoted
from ganvas.sweeps.racing import FIRST, Race
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.study import Configuration, Job, Study
from ganvas.tracking.outcomes import FINISHED, INTERRUPTED, PRUNED
from ganvas.tracking.signals import signals_wait

Launch = Callable[[list[list[str]], int], None]
_POLL = 2.0
_DEATHS = 2
"""A job whose process dies while its worker lives is begun so often."""


@dataclass(frozen=True)
class Places:
    """Where jobs write, as Hydra's overrides: the same folder for the same study, configuration and seed.

    Args:
        root: of the sweep.
        prefix: between it and the configuration's folder; empty where the root is the study's own.
    """

    root: Path
    prefix: str

    def subfolder(self, configuration: Configuration, seed: int) -> str:
        """Below the root."""
        return "/".join([*[self.prefix][: bool(self.prefix)], configuration.hash, f"seed-{seed}"])

    def folder(self, configuration: Configuration, seed: int) -> Path:
        """Of one job."""
        return self.root / self.subfolder(configuration, seed)


@final
class Worker:
    """Works on a study.

    Args:
        study: in its storage.
        hierarchy: its runs in MLflow.
        settings: of the sweep.
        claims: takes configurations.
        places: of the jobs.
        fixed: overrides of every job.
        launch: trains jobs, given by overrides, and the number of the first.
    """

    def __init__(
        self,
        study: Study,
        hierarchy: Hierarchy,
        settings: Settings,
        claims: Claims,
        places: Places,
        fixed: Sequence[str],
        launch: Launch,
    ) -> None:
        self._study, self._hierarchy, self._settings = study, hierarchy, settings
        self._claims, self._places, self._fixed, self._launch = claims, places, list(fixed), launch
        self._launched = 0

    def work(self) -> None:
        """Until nothing is left that nobody else works on."""
        mine: set[int] = set()
        with beating(self._study.storage, mine):
            for batch in self._batches():
                mine |= {c.trial_id for c in batch}
                try:
                    self._train(batch)
                except BaseException:
                    self._leave(batch)
                    raise
                mine.clear()

    def _batches(self) -> Iterator[dict[Configuration, str]]:
        while True:
            if batch := self._claims.take(self._settings.parallel):
                yield batch
            elif self._study.orphans():  # a job outlived its worker on this host: its end is worth waiting for
                time.sleep(_POLL)
            else:
                return

    def _train(self, batch: dict[Configuration, str]) -> None:
        seeds = max((len(c.seeds) for c in batch), default=0)
        first = FIRST if self._settings.racing is not None else 1
        rounds = [(0, first), *((i, i + 1) for i in range(first, seeds))] if self._settings.in_rounds else [(0, seeds)]
        for start, stop in rounds:
            wanted = [(c, seed) for c in batch if not self._is_out(c) for seed in c.seeds[start:stop]]
            self._run(wanted, batch)
        for configuration, run in batch.items():
            self._settle(self._study.read(configuration.trial_id), run)

    def _run(self, wanted: list[tuple[Configuration, int]], runs: dict[Configuration, str]) -> None:
        while pending := [(c, seed) for c, seed in wanted if not self._is_done(c, seed, runs[c])]:
            overrides = [self._overrides(c, seed, runs[c]) for c, seed in pending]
            failure: Exception | None = None
            try:
                self._launch(overrides, self._launched)
            except Exception as error:  # a process of the launcher died: what it had not finished is looked at below
                failure = error
            self._launched += len(overrides)
            for configuration, seed in pending:
                self._count_death(configuration, seed, failure)

    def _is_done(self, configuration: Configuration, seed: int, run: str) -> bool:
        job = self._study.read(configuration.trial_id).jobs.get(seed)
        if job is None or job.done:
            return job is not None
        path = self._places.folder(configuration, seed) / "result.json"
        if not path.exists():
            return False
        result = json.loads(path.read_text())
        if not self._hierarchy.is_finished(result["run_id"], run):
            return False
        scores = {key: score["value"] for key, score in result["scores"].items()}  # killed between its end and its note
        known = {"run_id": result["run_id"], "output": result["output"]}
        done = replace(job, state="done", outcome=FINISHED, scores=scores, owner=None, **known)
        self._study.set_job(configuration.trial_id, seed, done)
        return True

    def _overrides(self, configuration: Configuration, seed: int, run: str) -> list[str]:
        folder = self._places.folder(configuration, seed)
        own = {
            "seed": str(seed),
            "tracking.parent": quoted(run),
            "tracking.trial": str(configuration.number),
            "tracking.label": quoted(configuration.label),
            "hydra.sweep.dir": quoted(str(self._places.root)),
            "hydra.sweep.subdir": quoted(self._places.subfolder(configuration, seed)),
        }
        if begun := self._hierarchy.seed_run(run, seed) if seed in configuration.jobs else None:
            own["tracking.run_id"] = quoted(begun)
        if seed in configuration.jobs and (saved := checkpoint(folder)):
            own["resume"] = quoted(str(saved))
        values = configuration.values
        return [*self._fixed, *(f"{key}={value}" for key, value in {**values, **own}.items())]

    def _count_death(self, configuration: Configuration, seed: int, failure: Exception | None) -> None:
        job = self._study.read(configuration.trial_id).jobs.get(seed, Job())
        if job.done:
            return
        reason = f"its process died: {failure}" if failure else "its process ended without a word"
        job = replace(job, deaths=job.deaths + 1, owner=None)
        if job.deaths >= _DEATHS:
            job = replace(job, state="done", outcome=INTERRUPTED, reason=f"{reason} (twice)"[:1000])
        self._study.set_job(configuration.trial_id, seed, job)

    def _is_out(self, configuration: Configuration) -> bool:
        jobs = self._study.read(configuration.trial_id).jobs
        if any(job.outcome == PRUNED for job in jobs.values()):
            return True
        if self._settings.racing is None:
            return False
        others = [c for c in self._study.configurations() if c.trial_id != configuration.trial_id]
        race = Race(
            self._settings.racing, len(configuration.seeds), self._claims.expected, self._settings.directions[0]
        )
        return race.lost(self._values(jobs), [self._values(other.jobs) for other in others])

    def _values(self, jobs: dict[int, Job]) -> list[float]:
        key = self._settings.objectives[0]
        return [job.scores[key] for job in jobs.values() if job.outcome == FINISHED and key in job.scores]

    def _settle(self, configuration: Configuration, run: str) -> None:
        for seed, job in configuration.jobs.items():
            if job.outcome != FINISHED and not job.run_id:
                made = self._hierarchy.failed_run(run, configuration, seed, job.outcome, job.reason)
                self._study.set_job(configuration.trial_id, seed, replace(job, run_id=made))
        self._hierarchy.end_configuration(run, configuration)
        jobs = configuration.jobs.values()
        self._study.set(configuration.trial_id, "failures", sum(job.outcome != FINISHED for job in jobs))
        pruned = any(job.outcome == PRUNED for job in jobs)
        values = self._objectives([job.scores for job in jobs if job.outcome == FINISHED])
        if pruned:
            self._study.tell(configuration, None, TrialState.PRUNED)
        else:
            state = TrialState.FAIL if values is None else TrialState.COMPLETE
            self._study.tell(configuration, values, state)

    def _objectives(self, scores: Sequence[Any]) -> list[float] | None:
        pairs = zip(self._settings.objectives, self._settings.directions, strict=False)
        values = [objective_of(scores, key, direction, self._settings.aggregate) for key, direction in pairs]
        found = [value for value in values if value is not None]
        return found if found and len(found) == len(values) else None

    def _leave(self, batch: dict[Configuration, str]) -> None:
        """Somebody stops the worker: whoever comes next may take its configurations at once."""
        with signals_wait():
            for configuration, run in batch.items():
                for seed, job in self._study.read(configuration.trial_id).jobs.items():
                    if not job.done:
                        self._study.set_job(configuration.trial_id, seed, replace(job, owner=None))
                self._claims.release(configuration)
                self._hierarchy.end(run, "KILLED")
