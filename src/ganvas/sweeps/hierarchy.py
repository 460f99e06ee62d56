"""MLflow runs above the seed runs: one for a study, one for each of its trials.

A run is looked up by its tags before it is created, so that a worker that takes over continues the same runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from mlflow.entities import Metric, Run
from mlflow.utils.time import get_current_time_millis
from torch import Tensor

from ganvas.run.naming import short_name
from ganvas.sweeps.finished import Finished
from ganvas.sweeps.study import Trial
from ganvas.tracking import limits, views
from ganvas.tracking.hierarchy import (
    COLOUR_TAG,
    CONFIGURATION,
    CONFIGURATION_TAG,
    DIRECTION_TAG,
    FAILURE_TAG,
    LABEL_TAG,
    NOTE_TAG,
    OBJECTIVE_TAG,
    OUTCOME_TAG,
    PARENT_TAG,
    ROLE,
    RUN,
    SEED_TAG,
    STUDY,
    STUDY_TAG,
    TRIAL_TAG,
    colour,
)
from ganvas.tracking.store import open_store


@final
class Hierarchy:
    """The runs of one study in one MLflow experiment.

    Args:
        experiment: name of the experiment; created if it is not there.
        study: name of the study.
    """

    def __init__(self, experiment: str, study: str) -> None:
        self._client, self._experiment = open_store(experiment)
        self._study = study
        self._objectives: Mapping[str, str] = {}
        self.study_run = ""

    def begin_study(self, objectives: Mapping[str, str], params: Mapping[str, Any], swept: Iterable[str] = ()) -> str:
        """Find or create the study's run; to be called under the study's lock.

        Args:
            objectives: ``minimize`` or ``maximize`` by score.
            params: sampler, pruner and storage, logged as parameters.
            swept: keys of the config that the study varies, for the columns of its views.

        Returns:
            The run's id.
        """
        self._objectives = objectives
        tags = {OBJECTIVE_TAG: ",".join(objectives), DIRECTION_TAG: ",".join(objectives.values())}
        self.study_run = self._find_or_make({ROLE: STUDY, STUDY_TAG: self._study}, tags, f"study {self._study}", params)
        for view in views.study_views(self._study, objectives, swept):
            views.keep(self._client, self._experiment, view.tag, view.value())
        return self.study_run

    def begin_trial(self, trial: Trial) -> str:
        """Find or create the run of a trial; to be called under the study's lock.

        Args:
            trial: a trial of the study.

        Returns:
            The run's id.
        """
        key = {ROLE: CONFIGURATION, STUDY_TAG: self._study, CONFIGURATION_TAG: trial.hash}
        tags = {PARENT_TAG: self.study_run, LABEL_TAG: trial.label, TRIAL_TAG: trial.number}
        tags[COLOUR_TAG] = colour(trial.number)
        return self._find_or_make(key, tags, short_name(trial.values, None) or "configuration", trial.values)

    def seed_run(self, parent: str, seed: int) -> str | None:
        """Id of the newest run of one seed of a trial; None if it was never started.

        Args:
            parent: id of the trial's run.
            seed: seed of the run.
        """
        runs = self._search({PARENT_TAG: parent, SEED_TAG: str(seed)})
        return runs[0].info.run_id if runs else None

    def is_finished(self, run_id: str, parent: str) -> bool:
        """Whether a run belongs to the trial and is FINISHED.

        Args:
            run_id: id of the seed's run.
            parent: id of the trial's run.
        """
        run = self._client.get_run(run_id)
        return run.info.status == "FINISHED" and run.data.tags.get(PARENT_TAG) == parent

    def failed_run(self, parent: str, trial: Trial, seed: int, outcome: str, reason: str) -> str:
        """Find the run of a seed that failed; create it if the job did not, and end it if it is still RUNNING.

        Args:
            parent: id of the trial's run.
            trial: a trial of the study.
            seed: seed of the job.
            outcome: how the job ended, one of :mod:`ganvas.tracking.outcomes`.
            reason: why it failed, in one line.

        Returns:
            The run's id.
        """
        found = self.seed_run(parent, seed)
        tags: dict[str, Any] = {FAILURE_TAG: reason, OUTCOME_TAG: outcome}
        if found is None:
            own = {ROLE: RUN, PARENT_TAG: parent, STUDY_TAG: self._study, SEED_TAG: seed}
            tags |= own | {CONFIGURATION_TAG: trial.hash, LABEL_TAG: trial.label}
            found = self._make(short_name(trial.values, seed), tags, {})
        if self._client.get_run(found).info.status in ("RUNNING", "SCHEDULED"):
            self._client.log_batch(found, tags=limits.tags(tags))
            self._client.set_terminated(found, "FAILED")
        return found

    def end_trial(self, run_id: str, trial: Trial) -> None:
        """Log mean, standard deviation and 95% interval over the seeds that finished, and count those that failed.

        Args:
            run_id: id of the trial's run.
            trial: the trial, read after its last job ended.
        """
        found = Finished.of(trial)
        self._log(run_id, found.metrics(), {NOTE_TAG: found.note(self._objectives)})
        self.end(run_id, "FINISHED" if found.scores else "FAILED")

    def end_study(self, trials: Sequence[Trial]) -> None:
        """Log mean, standard deviation and count of the best configuration, and end the study's run.

        Args:
            trials: all trials of the study; each has ended.
        """
        key, direction = next(iter(self._objectives.items()), ("", ""))
        found = [Finished.of(trial) for trial in trials]
        scored = [one for one in found if one.summary(key).n]
        sign = -1 if direction == "maximize" else 1
        best = min(scored, key=lambda one: sign * one.summary(key).mean, default=None)
        counts = {"seeds": sum(len(one.scores) for one in found), "failures": sum(one.failures for one in found)}
        values = ({} if best is None else best.metrics([key])) | counts | {"configurations": len(found)}
        note = "No configuration has a score." if best is None else f"**Best mean: {best.name}.** {best.note([key])}"
        self._log(self.study_run, values, {NOTE_TAG: note})
        self.end(self.study_run, "FINISHED")

    def end(self, run_id: str, status: str) -> None:
        """End a run.

        Args:
            run_id: id of the run.
            status: ``FINISHED``, ``FAILED`` or ``KILLED``.
        """
        self._client.set_terminated(run_id, status)

    def picture(self, key: str, picture: Tensor, step: int) -> None:
        """Log a picture of a series to the study's run.

        Args:
            key: name of the series.
            picture: ``uint8 (3, h, w)``.
            step: images seen.
        """
        shown = picture.permute(1, 2, 0).contiguous().numpy()
        self._client.log_image(self.study_run, shown, key=key, step=step, synchronous=True)

    def artifact(self, path: str) -> None:
        """Log a file to the study's run."""
        self._client.log_artifact(self.study_run, path)

    def _log(self, run_id: str, values: Mapping[str, int | float], tags: Mapping[str, str]) -> None:
        now = get_current_time_millis()
        metrics = [Metric(limits.key(key), value, now, 0) for key, value in values.items()]
        self._client.log_batch(run_id, metrics=metrics, tags=limits.tags(tags))

    def _find_or_make(
        self, key: Mapping[str, str], tags: Mapping[str, Any], name: str, params: Mapping[str, Any]
    ) -> str:
        if runs := self._search(key):
            run = runs[0]
            if run.info.status != "RUNNING":
                self._client.update_run(run.info.run_id, status="RUNNING")
            return run.info.run_id
        return self._make(name, {**key, **tags}, params)

    def _make(self, name: str, tags: Mapping[str, Any], params: Mapping[str, Any]) -> str:
        written = {tag.key: tag.value for tag in limits.tags(tags)}
        run = self._client.create_run(self._experiment, run_name=limits.name(name), tags=written)
        self._client.log_batch(run.info.run_id, params=limits.params(params))
        return run.info.run_id

    def _search(self, tags: Mapping[str, str]) -> list[Run]:
        clause = " and ".join(f"tags.`{key}` = '{_escaped(value)}'" for key, value in tags.items())
        return list(self._client.search_runs([self._experiment], clause, max_results=1))


def _escaped(value: str) -> str:
    return value.replace("'", "\\'")
