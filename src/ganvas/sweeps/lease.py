"""Leases: a worker's hold on a trial, granted to one worker at a time.

A worker first gets trials whose worker died, then trials that wait, then new ones. Leases are granted under the study's
lock, so that two workers never get the same trial and a sampler sees every trial that was asked for before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, final

import optuna
from optuna.trial import TrialState

from ganvas.sweeps import SweepError
from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.samplers import make_sampler
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space
from ganvas.sweeps.storage import exclusively
from ganvas.sweeps.study import CONFIGURATION, LABEL, NOTE, OWNER, SEEDS, VALUES, Job, Study, Trial, job_attributes
from ganvas.tracking.outcomes import ERROR, PRUNED
from ganvas.tracking.owner import Owner
from ganvas.tracking.provenance import config_hash

Configure = Callable[[Mapping[str, str]], str]
"""Takes swept values, composes their config and returns its hash; raises if they give no valid config."""


@final
@dataclass(frozen=True)
class Lease:
    """A worker's hold on a trial.

    Args:
        trial: the trial as it was when the lease was granted.
        run: id of the trial's run in MLflow.
    """

    trial: Trial
    run: str


@final
class Leases:
    """Grants leases on the trials of a study to this process.

    Args:
        study: the study that all workers share.
        hierarchy: the study's runs in MLflow.
        settings: sampler, number of trials and their like.
        space: gives the values of a new trial.
        configure: composes a config and hashes it.
    """

    def __init__(
        self, study: Study, hierarchy: Hierarchy, settings: Settings, space: Space, configure: Configure
    ) -> None:
        self._study, self._hierarchy, self._settings = study, hierarchy, settings
        self._space, self._configure, self._me = space, configure, Owner.me()
        self.expected = settings.n_trials or 0

    def prepare(self) -> None:
        """Enqueue the points of a grid that the study does not have yet.

        Raises:
            Exception: a point gives no valid config; raised before anything is trained.
        """
        if self._settings.sampler != "grid":
            return
        points = list(islice(self._space.grid(), self._settings.n_trials))
        self.expected = len(points)
        described = [(named, self._attributes(values, self._configure(values))) for values, named in points]
        with exclusively(self._study.storage, self._study.name):
            known = {t.hash: t for t in self._study.trials()}
            for named, attributes in described:
                self._enqueue(named, attributes, known.get(attributes[CONFIGURATION]))

    def take(self, count: int) -> list[Lease]:
        """Grant up to ``count`` leases; none if no trial is left.

        Args:
            count: number of trials that this process can train at once, at least 1.
        """
        taken: list[Lease] = []
        with exclusively(self._study.storage, self._study.name):
            ghosts = self._study.ghosts()
            for lost in [t for t in ghosts if not t.known]:
                self._study.tell(lost, None, TrialState.FAIL)
            for ghost in [t for t in ghosts if t.known][:count]:
                taken.append(self._grant(ghost.id))
            while len(taken) < count and self._more():
                if (trial_id := self._new()) is not None:
                    taken.append(self._grant(trial_id))
        return taken

    def release(self, trial: Trial) -> None:
        """End a lease of this process, so that another worker can take the trial at once."""
        self._study.set(trial.id, OWNER, None)

    def _more(self) -> bool:
        if self._study.waiting():
            return True
        searches = self._settings.sampler != "grid"
        return searches and len(self._study.trials()) < (self._settings.n_trials or 0)

    def _new(self) -> int | None:
        """Id of a trial that waited or is new; None if the sampler chose a configuration that the study has."""
        known = self._study.trials()
        asked = self._study.ask(make_sampler(self._settings.sampler, self._settings.sampler_seed, len(known)))
        if not self._study.read(asked._trial_id).known:
            return self._describe(asked, {t.hash: t for t in known})
        for name, value in self._study.optuna.trials[asked.number].system_attrs["fixed_params"].items():
            _suggest_again(asked, name, value, self._space)
        return asked._trial_id

    def _describe(self, asked: optuna.Trial, known: Mapping[str, Trial]) -> int | None:
        values = self._space.suggest(asked)
        failed: dict[str, Any] = {}
        try:
            hash_ = self._configure(values)
        except Exception as error:
            hash_ = config_hash(values)
            reason = " ".join(str(error).split())[:1000]
            job = Job("done", ERROR, reason, exit_code=2)
            failed = job_attributes(dict.fromkeys(self._space.seeds, job))
        for key, value in {**failed, **self._attributes(values, hash_)}.items():
            self._study.set(asked._trial_id, key, value)
        if hash_ in known:
            self._repeat(asked, known[hash_])
            return None
        return asked._trial_id

    def _repeat(self, asked: optuna.Trial, earlier: Trial) -> None:
        """Tell the sampler the value of an earlier trial with the same configuration, without training it again."""
        self._study.set(asked._trial_id, NOTE, f"same as {earlier.number}")
        found = self._study.storage.get_trial(earlier.id)
        complete = found.state == TrialState.COMPLETE
        state = TrialState.COMPLETE if complete else TrialState.FAIL
        self._study.optuna.tell(asked, found.values if complete else None, state)

    def _grant(self, trial_id: int) -> Lease:
        trial = self._study.read(trial_id)
        if not self._space.holds(trial.values):  # the database is shared, and its values become overrides
            raise SweepError(
                f"study {self._study.name!r}, trial {trial.number}: {trial.label} is no point of this command line's "
                "space: somebody else wrote it. Choose another study="
            )
        self._study.set(trial_id, OWNER, self._me.as_dict())
        self._study.storage.record_heartbeat(trial_id)
        return Lease(trial, self._hierarchy.begin_trial(trial))

    def _enqueue(self, params: dict[str, Any], attributes: dict[str, Any], earlier: Trial | None) -> None:
        if earlier is None:
            self._study.enqueue(params, attributes)
            return
        pruned = any(job.outcome == PRUNED for job in earlier.jobs.values())
        if earlier.state.is_finished() and not pruned and set(attributes[SEEDS]) - set(earlier.seeds):
            seeds = sorted({*attributes[SEEDS], *earlier.seeds})
            self._study.enqueue(params, {**attributes, **job_attributes(earlier.jobs), SEEDS: seeds})

    def _attributes(self, values: Mapping[str, str], hash_: str) -> dict[str, Any]:
        label = " ".join(f"{key}={short(value)}" for key, value in values.items())
        return {VALUES: dict(values), LABEL: label, SEEDS: list(self._space.seeds), CONFIGURATION: hash_}


def _suggest_again(asked: optuna.Trial, name: str, value: Any, space: Space) -> None:
    """Suggest an enqueued parameter, so that Optuna's importance and plots know its distribution."""
    kinds = [*space.dimensions.items(), *(item for branch in space.branches for item in branch.dimensions.items())]
    for key, kind in kinds:
        if space.name(key, kind) == name and value in (kind.values() or []):
            kind.suggest(asked, name)
            return


def short(value: str) -> str:
    """Round a long number to four significant digits; any other text stays as it is.

    Args:
        value: value of an override.
    """
    try:
        return value if len(value) < 8 else f"{float(value):.4g}"
    except ValueError:
        return value
