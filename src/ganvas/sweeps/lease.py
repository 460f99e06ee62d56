"""Taking configurations, one worker each: first those whose worker died, then those that wait, then new ones.

All of it happens under the study's lock, so that two workers never take the same one, and a sampler sees every
configuration asked for before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, final

from optuna.trial import Trial, TrialState

from ganvas.sweeps.hierarchy import Hierarchy
from ganvas.sweeps.owners import Owner
from ganvas.sweeps.samplers import make_sampler
from ganvas.sweeps.settings import Settings
from ganvas.sweeps.space import Space
from ganvas.sweeps.storage import exclusively
from ganvas.sweeps.study import (
    CONFIGURATION,
    LABEL,
    NOTE,
    OWNER,
    SEEDS,
    VALUES,
    Configuration,
    Job,
    Study,
    job_attributes,
)
from ganvas.tracking.outcomes import ERROR, PRUNED
from ganvas.tracking.provenance import config_hash

Configure = Callable[[Mapping[str, str]], str]
"""Swept values to the hash of the config they give; raises where they give none."""


@final
class Claims:
    """Takes configurations of a study for this process.

    Args:
        study: in its storage.
        hierarchy: its runs in MLflow.
        settings: of the sweep.
        space: of the sweep.
        configure: composes a config and hashes it.
    """

    def __init__(
        self, study: Study, hierarchy: Hierarchy, settings: Settings, space: Space, configure: Configure
    ) -> None:
        self._study, self._hierarchy, self._settings = study, hierarchy, settings
        self._space, self._configure, self._me = space, configure, Owner.me()
        self.expected = settings.n_trials or 0

    def prepare(self) -> None:
        """Put a grid's configurations in the queue, those that are not there yet.

        Raises:
            Exception: one of them gives no config: bad input, before anything is trained.
        """
        if self._settings.sampler != "grid":
            return
        points = list(islice(self._space.grid(), self._settings.n_trials))
        self.expected = len(points)
        described = [(named, self._attributes(values, self._configure(values))) for values, named in points]
        with exclusively(self._study.storage, self._study.name):
            known = {c.hash: c for c in self._study.configurations()}
            for named, attributes in described:
                self._enqueue(named, attributes, known.get(attributes[CONFIGURATION]))

    def take(self, count: int) -> dict[Configuration, str]:
        """Up to ``count`` configurations with their MLflow runs; none where nothing is left.

        Args:
            count: at least 1.
        """
        taken: dict[Configuration, str] = {}
        with exclusively(self._study.storage, self._study.name):
            ghosts = self._study.ghosts()
            for lost in [c for c in ghosts if not c.known]:
                self._study.tell(lost, None, TrialState.FAIL)
            for ghost in [c for c in ghosts if c.known][:count]:
                self._own(ghost.trial_id, taken)
            while len(taken) < count and self._more():
                if (trial_id := self._new()) is not None:
                    self._own(trial_id, taken)
        return taken

    def release(self, configuration: Configuration) -> None:
        """Let another worker take it at once.

        Args:
            configuration: of this worker.
        """
        self._study.set(configuration.trial_id, OWNER, None)

    def _more(self) -> bool:
        if self._study.waiting():
            return True
        searches = self._settings.sampler != "grid"
        return searches and len(self._study.configurations()) < (self._settings.n_trials or 0)

    def _new(self) -> int | None:
        """A configuration that waited or is new; None for one that the study has had before."""
        known = self._study.configurations()
        trial = self._study.ask(make_sampler(self._settings.sampler, self._settings.sampler_seed, len(known)))
        if not self._study.read(trial._trial_id).known:
            return self._describe(trial, {c.hash: c for c in known})
        for name, value in self._study.optuna.trials[trial.number].system_attrs["fixed_params"].items():
            _suggest_again(trial, name, value, self._space)
        return trial._trial_id

    def _describe(self, trial: Trial, known: Mapping[str, Configuration]) -> int | None:
        values = self._space.suggest(trial)
        failed: dict[str, Any] = {}
        try:
            hash_ = self._configure(values)
        except Exception as error:
            hash_ = config_hash(values)
            reason = " ".join(str(error).split())[:1000]
            job = Job("done", ERROR, reason, exit_code=2)
            failed = job_attributes(dict.fromkeys(self._space.seeds, job))
        for key, value in {**failed, **self._attributes(values, hash_)}.items():
            self._study.set(trial._trial_id, key, value)
        if hash_ in known:
            self._repeat(trial, known[hash_])
            return None
        return trial._trial_id

    def _repeat(self, trial: Trial, earlier: Configuration) -> None:
        """The sampler came back to a configuration: it is not trained again, what it came to is told again."""
        self._study.set(trial._trial_id, NOTE, f"same as {earlier.number}")
        found = self._study.storage.get_trial(earlier.trial_id)
        complete = found.state == TrialState.COMPLETE
        state = TrialState.COMPLETE if complete else TrialState.FAIL
        self._study.optuna.tell(trial, found.values if complete else None, state)

    def _own(self, trial_id: int, taken: dict[Configuration, str]) -> None:
        self._study.set(trial_id, OWNER, self._me.as_dict())
        self._study.storage.record_heartbeat(trial_id)
        configuration = self._study.read(trial_id)
        taken[configuration] = self._hierarchy.begin_configuration(configuration)

    def _enqueue(self, params: dict[str, Any], attributes: dict[str, Any], earlier: Configuration | None) -> None:
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


def _suggest_again(trial: Trial, name: str, value: Any, space: Space) -> None:
    """Make an enqueued parameter one of the trial's, for Optuna's importance and plots."""
    kinds = [*space.dimensions.items(), *(item for branch in space.branches for item in branch.dimensions.items())]
    for key, kind in kinds:
        if space.name(key, kind) == name and value in (kind.values() or []):
            kind.suggest(trial, name)
            return


def short(value: str) -> str:
    """A number to four digits, anything else as it is.

    Args:
        value: of an override.
    """
    try:
        return value if len(value) < 8 else f"{float(value):.4g}"
    except ValueError:
        return value
