"""A study: its trials, each a configuration with its seeds, and its jobs, each a trial with one seed.

The SQL storage holds everything a sweep knows, so that any worker can take over from any other: a trial is a trial of
Optuna's, its jobs are user attributes of it. A trial has one worker at a time, and is taken under the study's lock. If
a trial's worker and the processes of its jobs are dead, the next worker that asks for work takes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ganvas.sweeps import SweepError
from ganvas.tracking.owner import Owner

CONFIGURATION, VALUES, LABEL, OWNER, SEEDS, NOTE = "configuration", "values", "label", "owner", "seeds", "note"
_JOB = "job "
Direction = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Job:
    """The record of one seed of a trial.

    Args:
        state: ``running`` or ``done``.
        outcome: how it ended, one of :mod:`ganvas.tracking.outcomes`.
        reason: why the outcome is not ``finished``, in one line.
        scores: final scores by key.
        run_id: id of its run in MLflow.
        output: folder of its files.
        owner: the process that trains it, as :meth:`Owner.as_dict` writes it; None if no process does.
        deaths: how often its process died while the worker survived.
        exit_code: 2 if its input was bad, else 1; only for an outcome that is not ``finished``.
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
        """Whether it has ended and is never trained again."""
        return self.state == "done"

    def as_dict(self) -> dict[str, Any]:
        """Convert to values that JSON can hold."""
        return {**vars(self), "scores": dict(self.scores)}


@dataclass(frozen=True)
class Trial:
    """One configuration of a study with its seeds, as recorded when it was read.

    Args:
        id: Optuna's id in the storage.
        number: its number in the study, from 0.
        state: WAITING, RUNNING, COMPLETE, PRUNED or FAIL.
        attributes: Optuna's user attributes, which hold the configuration, the owner and the jobs.
    """

    id: int
    number: int
    state: TrialState = field(compare=False)
    attributes: Mapping[str, Any] = field(compare=False)

    @property
    def hash(self) -> str:
        """Hash of its config without the seed."""
        return self.attributes[CONFIGURATION]

    @property
    def values(self) -> dict[str, str]:
        """Swept values by key, as written in overrides."""
        return dict(self.attributes[VALUES])

    @property
    def label(self) -> str:
        """Swept values as one line of text."""
        return self.attributes[LABEL]

    @property
    def seeds(self) -> list[int]:
        """Seeds that it is trained with."""
        return [int(seed) for seed in self.attributes[SEEDS]]

    @property
    def jobs(self) -> dict[int, Job]:
        """Jobs that were started, by seed in rising order."""
        found = {int(key.removeprefix(_JOB)): Job(**value) for key, value in self.attributes.items() if _is_job(key)}
        return dict(sorted(found.items()))

    @property
    def known(self) -> bool:
        """Whether its configuration is recorded; false if its worker died right after asking Optuna for it."""
        return CONFIGURATION in self.attributes


@final
class Study:
    """One study in a storage.

    Args:
        name: unique in the storage.
        storage: holds the study; the study is created if it is not there.
        directions: ``minimize`` or ``maximize`` for each objective.
        pruner: judges scores in training.
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
        """Record what all workers of the study must have in common, or compare it with the record.

        Args:
            key: name of the record, used in the error message.
            value: settings that must agree, by name.

        Raises:
            SweepError: a setting differs from the record.
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
                "give the same command line to continue it, or another study="
            )

    def trials(self) -> list[Trial]:
        """List the trials whose configuration is recorded, by number."""
        return [t for t in map(_read, self.optuna.get_trials(deepcopy=False)) if t.known]

    def latest(self) -> list[Trial]:
        """List the latest trial of each configuration."""
        return list({t.hash: t for t in self.trials() if NOTE not in t.attributes}.values())

    def read(self, trial_id: int) -> Trial:
        """Read a trial from the storage."""
        return _read(self.storage.get_trial(trial_id))

    def enqueue(self, params: dict[str, Any], attributes: dict[str, Any]) -> None:
        """Add a trial for some worker to take.

        Args:
            params: Optuna's parameters by name.
            attributes: user attributes, as :class:`Trial` reads them.
        """
        self.optuna.enqueue_trial(params, user_attrs=attributes)

    def ask(self, sampler: BaseSampler) -> optuna.Trial:
        """Take a waiting trial, else make a new one; to be called under the study's lock.

        Args:
            sampler: chooses the values of a new trial.
        """
        self.optuna.sampler = sampler
        asked = self.optuna.ask()
        self.storage.record_heartbeat(asked._trial_id)
        return asked

    def waiting(self) -> bool:
        """Whether a trial waits for a worker."""
        return bool(self.optuna.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def set(self, trial_id: int, key: str, value: Any) -> None:
        """Record a user attribute of a trial that has not ended."""
        self.storage.set_trial_user_attr(trial_id, key, value)

    def set_job(self, trial_id: int, seed: int, job: Job) -> None:
        """Record a job of a trial that has not ended."""
        self.set(trial_id, f"{_JOB}{seed}", job.as_dict())

    def running(self) -> bool:
        """Whether a trial is marked as running."""
        return bool(self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def ghosts(self) -> list[Trial]:
        """Trials that are marked as running, but have no living process; to be called under the study's lock."""
        running = self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not running:
            return []
        stale = set(self.storage._get_stale_trial_ids(self.optuna._study_id))
        return [t for t in map(_read, running) if not _lives(t, t.id in stale)]

    def orphans(self) -> list[Trial]:
        """Trials whose worker is dead while one of their jobs still trains on this host."""
        running = map(_read, self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        return [t for t in running if _alive(t.attributes.get(OWNER)) is False and _lives(t, stale=True)]

    def tell(self, trial: Trial, values: Sequence[float] | None, state: TrialState) -> None:
        """End a trial.

        Args:
            trial: a trial of this study.
            values: one value for each objective if the state is COMPLETE, else None.
            state: COMPLETE, PRUNED or FAIL.
        """
        self.optuna.tell(trial.number, values, state, skip_if_finished=True)


def job_attributes(jobs: Mapping[int, Job]) -> dict[str, Any]:
    """User attributes that record jobs (by seed), for a trial that inherits them from an earlier one."""
    return {f"{_JOB}{seed}": job.as_dict() for seed, job in jobs.items()}


def _read(trial: FrozenTrial) -> Trial:
    return Trial(trial._trial_id, trial.number, trial.state, trial.user_attrs)


def _is_job(key: str) -> bool:
    return key.startswith(_JOB)


def _alive(record: Any) -> bool | None:
    owner = Owner.read(record)
    return False if owner is None else owner.lives()


def _lives(trial: Trial, stale: bool) -> bool:
    """Whether its worker or the process of one of its jobs lives; on other hosts, whether the heartbeat is fresh."""
    records = [trial.attributes.get(OWNER)]
    records += [job.owner for job in trial.jobs.values() if not job.done]
    seen = [_alive(record) for record in records]
    return any(alive or (alive is None and not stale) for alive in seen)
