"""The result of a run: scores of the final weights and of the best checkpoint, and the bias of having chosen it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from ganvas.health.finding import Finding
from ganvas.health.findings import by_name, health_metrics, health_tags
from ganvas.metrics.base import Score
from ganvas.metrics.registry import lower_is_better
from ganvas.models import Model
from ganvas.run.assembly import Watchers
from ganvas.run.callbacks.selection import Candidate, Selection
from ganvas.run.gallery import gallery
from ganvas.run.note import note, sentence
from ganvas.run.request import Job
from ganvas.scoring.found import Found, values_and_intervals
from ganvas.storage.atomic import write_json
from ganvas.storage.checkpoints import BEST, LAST, CheckpointError, read
from ganvas.tracking.hierarchy import NOTE_TAG, UNHEALTHY_TAG
from ganvas.tracking.log_scores import protocol_tags
from ganvas.tracking.run import Run
from ganvas.tracking.views import best_view

_logger = logging.getLogger("ganvas.tracking")


@final
@dataclass(frozen=True, eq=False)
class Chosen:
    """The best checkpoint, with its scores on the split that it was not chosen on.

    Args:
        selection: the choice.
        best: the score that it was chosen by, and the images seen then.
        scores: scores on the report split, by key ``score/<extractor>/<metric>``, by the final scores' protocol.
        final: scores of the final weights, by the same keys.
    """

    selection: Selection
    best: Candidate
    scores: dict[str, Score]
    final: dict[str, Score]

    def gaps(self) -> dict[str, float]:
        r"""Compute the bias of the choice, in the metric's units; positive means better.

        ``optimism`` is the best checkpoint's selection score minus its report score. These two are measured on
        different numbers of images, which alone moves a Fréchet distance. The differences between best and final
        weights do not depend on that: ``promised`` by the selection, ``kept`` on the report split.
        """
        chosen, key = self.selection, self.selection.key
        report = self.scores[key].value
        gaps = {"gap/optimism": chosen.gain(self.best.value, report)}
        gaps["gap/kept"] = chosen.gain(report, self.final[key].value)
        if chosen.latest is not None:
            gaps["gap/promised"] = chosen.gain(self.best.value, chosen.latest.value)
        return gaps

    def named(self) -> dict[str, Score]:
        """Return the report scores by key ``best/<extractor>/<metric>``."""
        return {_best(key): score for key, score in self.scores.items()}

    def selected_by(self) -> dict[str, float]:
        """Return the score that it was chosen by, under the key ``selection/<extractor>/<metric>``."""
        return {self.selection.key.replace("score/", "selection/", 1): self.best.value}

    def as_dict(self) -> dict[str, Any]:
        """Return the entries of ``result.json``."""
        protocol = self.selection.protocol
        return {
            "best": {
                "checkpoint": str(self.selection.path.absolute()),
                "images_seen": self.best.images_seen,
                "scores": values_and_intervals(self.named()),
            },
            "selection": {
                "scores": self.selected_by(),
                "split": protocol.conditions["split"],
                "sample_seed": protocol.recorded["sample_seed"],
                "protocol": protocol.as_dict(),
                "fingerprint": protocol.fingerprint(),
                "none": None,
            },
            "gap": self.gaps(),
        }


@final
@dataclass(frozen=True, eq=False)
class Outcome:
    """Scores and findings of a finished run.

    Args:
        scored: scores of the final weights.
        chosen: the best checkpoint, or None.
        none: reason why there is no best checkpoint; empty if there is one.
        findings: findings on the run and its samples.
    """

    scored: Found
    chosen: Chosen | None
    none: str
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the entries of ``result.json``: those of :class:`~ganvas.scoring.found.Found` and of the choice."""
        without = {"best": None, "selection": {"none": self.none}, "gap": {}}
        return {
            **self.scored.as_dict(),
            **(without if self.chosen is None else self.chosen.as_dict()),
            "findings": by_name(self.findings),
        }


class ScoringError(RuntimeError):
    """A finished training whose scores failed; the message says where the model is and how to score it."""

    exit_code = 1


@contextmanager
def keeping(run: Run, job: Job) -> Iterator[None]:
    """Keep the checkpoint of a finished training where the block, which scores it, fails.

    Args:
        run: receives the checkpoint.
        job: the request.

    Raises:
        ScoringError: the block failed.
    """
    try:
        yield
    except Exception as error:
        run.artifact(job.output / LAST, "checkpoints")
        raise ScoringError(
            f"the training is complete and kept, but its scores failed: {type(error).__name__}: {error}. "
            f"Score it by `ganvas score {run.id or job.output}`"
        ) from error


def assess(measure: Callable[[], Found], model: Model, watchers: Watchers) -> Outcome:
    """Measure the final weights and, if they differ, those of the best checkpoint.

    Args:
        measure: measures the model with the weights that it has at the call.
        model: the trained model; afterwards it has its final weights again.
        watchers: callbacks of the training.
    """
    scored = measure()
    findings = (*watchers.health.findings, *scored.findings)
    selection = watchers.selection
    if selection is None or selection.best is None:
        return Outcome(scored, None, watchers.no_selection or "no score in training was a finite number", findings)
    try:
        stored = read(selection.path)
    except CheckpointError as error:
        _logger.warning("%s", error)
        return Outcome(scored, None, str(error), findings)
    best = scored.scores
    if selection.best.images_seen != model.images_seen:
        with _weights(model, stored["state_dict"]):
            best = measure().scores
    return Outcome(scored, Chosen(selection, selection.best, best, scored.scores), "", findings)


def conclude(run: Run, job: Job, model: Model, outcome: Outcome, parent: str | None) -> dict[str, Any]:
    """Log scores, findings, checkpoints, ``result.json``, a note and the gallery of pictures.

    Args:
        run: receives scores, findings and files.
        job: the request.
        model: the trained model.
        outcome: scores and findings.
        parent: id of the configuration's run; None outside of sweeps.

    Returns:
        The content of ``result.json``.
    """
    _log(run, model.images_seen, outcome)
    checkpoint = job.output / LAST
    result = {
        "run_id": run.id,
        "name": job.name,
        "checkpoint": str(checkpoint.absolute()),
        "images_seen": model.images_seen,
        **outcome.as_dict(),
        "output": str(job.output.absolute()),
    }
    path = job.output / "result.json"
    write_json(path, result)
    run.artifact(path)
    key = _ranking(outcome)
    run.tags({NOTE_TAG: note(result, key, parent)})
    run.text("index.html", gallery(job.output, job.name, sentence(result, key)))
    run.artifact(checkpoint, "checkpoints")
    if outcome.chosen is not None:
        run.artifact(job.output / BEST, "checkpoints")
    return result


def _log(run: Run, images_seen: int, outcome: Outcome) -> None:
    scored, chosen = outcome.scored, outcome.chosen
    run.metrics(_values(scored.scores) | health_metrics(outcome.findings), step=images_seen)
    run.tags(health_tags(outcome.findings))
    run.tags(protocol_tags(scored.fingerprints()))
    run.tags({UNHEALTHY_TAG: ", ".join(finding.name for finding in outcome.findings if finding.state != "ok")})
    if (key := _ranking(outcome)) is not None:
        run.view(best_view(key, bool(lower_is_better(key)), scored.scores))
    if chosen is None:
        run.tags({"ganvas.selection": f"none: {outcome.none}"})
        return
    run.metrics(_values(chosen.named()) | chosen.selected_by(), step=chosen.best.images_seen)
    # Tags of their own: `ganvas score` may measure the final weights again, by another protocol.
    run.tags(protocol_tags({_best(key): digits for key, digits in scored.fingerprints().items()}))
    run.metrics(chosen.gaps(), step=images_seen)
    run.tags(
        {
            "ganvas.selection": chosen.selection.key.removeprefix("score/"),
            "ganvas.selection.protocol": chosen.selection.protocol.fingerprint(),
            "ganvas.best_images_seen": chosen.best.images_seen,
        }
    )


def _ranking(outcome: Outcome) -> str | None:
    """Key of the score that runs are sorted by: the one that chose the checkpoint, else the first with a direction."""
    if outcome.chosen is not None:
        return outcome.chosen.selection.key
    return next((key for key in outcome.scored.scores if lower_is_better(key) is not None), None)


def _best(key: str) -> str:
    """Turn the key of a score into that of the best checkpoint's score."""
    return key.replace("score/", "best/", 1)


def _values(scores: Mapping[str, Score]) -> dict[str, float]:
    return {key: score.value for key, score in scores.items()}


@contextmanager
def _weights(model: Model, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Give the model other weights inside the block."""
    own = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(state)
    try:
        yield
    finally:
        model.load_state_dict(own)
