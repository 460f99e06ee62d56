"""A study: its configurations as Optuna's trials, its jobs (a configuration with one seed) as attributes of theirs.

All that a sweep knows stands in the SQL storage, so that any worker can take over from any other. A configuration has
one worker at a time; taking one is done under the study's lock. A configuration whose worker is dead, and whose jobs
are, is taken by the next worker that asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from ganvas.sweeps.errors import SweepError
from ganvas.sweeps.owners import Owner

CONFIGURATION, VALUES, LABEL, OWNER, SEEDS, NOTE = "configuration", "values", "label", "owner", "seeds", "note"
_JOB = "job "
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Job:
    """What is known of one seed of a configuration.

    Args:
        state: ``running`` or ``done``.
        outcome: how it ended, one of :mod:`ganvas.tracking.outcomes`.
        reason: of an outcome that is not ``finished``.
        scores: by key.
        run_id: of MLflow.
        output: its folder.
        owner: process that trains it.
        deaths: how often it died while its worker lived.
        exit_code: 2 where its input was bad.
    """

    state: str = "running"
    outcome: str = ""
    reason: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    run_id: str = ""
    output: str = ""
    owner: Mapping[str, Any] | None = None
    deaths: int = 0
    exit_code: int = 1

    @property
    def done(self) -> bool:
        """Whether it is never trained again."""
        return self.state == "done"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "scores": dict(self.scores)}


@dataclass(frozen=True)
class Configuration:
    """A trial of a study, as it stood when it was read."""

    trial_id: int
    number: int
    state: TrialState = field(compare=False)
    attributes: Mapping[str, Any] = field(compare=False)

    @property
    def hash(self) -> str:
        """Of its config without the seed."""
        return self.attributes[CONFIGURATION]

    @property
    def values(self) -> dict[str, str]:
        """What was swept, by key."""
        return dict(self.attributes[VALUES])

    @property
    def label(self) -> str:
        """What was swept, readable."""
        return self.attributes[LABEL]

    @property
    def seeds(self) -> list[int]:
        """Asked for."""
        return list(self.attributes[SEEDS])

    @property
    def jobs(self) -> dict[int, Job]:
        """By seed, those that were begun."""
        found = {int(key.removeprefix(_JOB)): Job(**value) for key, value in self.attributes.items() if _is_job(key)}
        return dict(sorted(found.items()))

    @property
    def known(self) -> bool:
        """Whether its worker got as far as to say what it is."""
        return CONFIGURATION in self.attributes


@final
class Study:
    """One study in a storage.

    Args:
        name: of the study.
        storage: where it is.
        directions: ``minimize`` or ``maximize``, one an objective.
        pruner: of its runs.
    """

    def __init__(self, name: str, storage: RDBStorage, directions: Sequence[Direction], pruner: BasePruner) -> None:
        self.name, self.storage = name, storage
        self.optuna = optuna.create_study(
            storage=storage, study_name=name, directions=list(directions), pruner=pruner, load_if_exists=True
        )
        found = [direction.name.lower() for direction in self.optuna.directions]
        if found != list(directions):
            raise SweepError(
                f"study {name!r} has the directions {found}, not {list(directions)}; choose another study="
            )
        self.directions = found

    def agree(self, key: str, value: Mapping[str, str]) -> None:
        """Record what all workers of the study must have in common, or compare with what is recorded.

        Args:
            key: word for it.
            value: by name.

        Raises:
            SweepError: it differs.
        """
        recorded = self.optuna.user_attrs.get(key)
        if recorded is None:
            self.optuna.set_user_attr(key, dict(value))
            return
        names = dict.fromkeys([*recorded, *value])
        differs = [f"{n}: {recorded.get(n)} -> {value.get(n)}" for n in names if recorded.get(n) != value.get(n)]
        if differs:
            raise SweepError(
                f"study {self.name!r} exists with another {key} ({'; '.join(differs)}); "
                "give the same line to continue it, or another study="
            )

    def configurations(self) -> list[Configuration]:
        """All that are known, by number."""
        return [c for c in map(_read, self.optuna.get_trials(deepcopy=False)) if c.known]

    def read(self, trial_id: int) -> Configuration:
        """One, as it stands now."""
        return _read(self.storage.get_trial(trial_id))

    def enqueue(self, params: dict[str, Any], attributes: dict[str, Any]) -> None:
        """Add a configuration for some worker to take.

        Args:
            params: Optuna's, by name.
            attributes: what :class:`Configuration` reads.
        """
        self.optuna.enqueue_trial(params, user_attrs=attributes)

    def ask(self, sampler: BaseSampler) -> Trial:
        """A configuration that waits, else a new one; under the lock.

        Args:
            sampler: chooses.
        """
        self.optuna.sampler = sampler
        trial = self.optuna.ask()
        self.storage.record_heartbeat(trial._trial_id)
        return trial

    def waiting(self) -> bool:
        """Whether a configuration waits for a worker."""
        return bool(self.optuna.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def set(self, trial_id: int, key: str, value: Any) -> None:
        """Record an attribute of a configuration that has not ended."""
        self.storage.set_trial_user_attr(trial_id, key, value)

    def set_job(self, trial_id: int, seed: int, job: Job) -> None:
        """Record a job."""
        self.set(trial_id, f"{_JOB}{seed}", job.as_dict())

    def running(self) -> bool:
        """Whether a configuration is still being worked on."""
        return bool(self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def ghosts(self) -> list[Configuration]:
        """Configurations marked as running that nobody works on; under the lock."""
        running = self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not running:
            return []
        stale = set(self.storage._get_stale_trial_ids(self.optuna._study_id))
        return [c for c in map(_read, running) if not _lives(c, c.trial_id in stale)]

    def orphans(self) -> list[Configuration]:
        """Configurations whose worker is dead, but a job of which still trains on this host."""
        running = map(_read, self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        return [c for c in running if _alive(c.attributes.get(OWNER)) is False and _lives(c, stale=True)]

    def tell(self, configuration: Configuration, values: Sequence[float] | None, state: TrialState) -> None:
        """End a configuration.

        Args:
            configuration: which.
            values: of the objectives, where it is complete.
            state: COMPLETE, PRUNED or FAIL.
        """
        self.optuna.tell(configuration.number, values, state, skip_if_finished=True)


def job_attributes(jobs: Mapping[int, Job]) -> dict[str, Any]:
    """Attributes of a configuration that inherits jobs from another trial of its own.

    Args:
        jobs: by seed.
    """
    return {f"{_JOB}{seed}": job.as_dict() for seed, job in jobs.items()}


def _read(trial: FrozenTrial) -> Configuration:
    return Configuration(trial._trial_id, trial.number, trial.state, trial.user_attrs)


def _is_job(key: str) -> bool:
    return key.startswith(_JOB)


def _alive(record: Any) -> bool | None:
    owner = Owner.read(record)
    return False if owner is None else owner.lives()


def _lives(configuration: Configuration, stale: bool) -> bool:
    """Whether a process that works on it lives; those of other hosts do while the heartbeat is fresh."""
    records = [configuration.attributes.get(OWNER)]
    records += [job.owner for job in configuration.jobs.values() if not job.done]
    seen = [_alive(record) for record in records]
    return any(alive or (alive is None and not stale) for alive in seen)
