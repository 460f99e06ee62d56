"""Training in a paper's program: a preset of ``conf/experiment``, trained as ``ganvas train`` does, in one study."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

from hydra import compose
from omegaconf import DictConfig, open_dict

from ganvas.config import as_given
from ganvas.latents import LatentSampler
from ganvas.metrics.registry import settings_of
from ganvas.papers.program import Desk
from ganvas.run.request import Job
from ganvas.run.resuming import AUTO
from ganvas.run.training import train
from ganvas.scoring.found import Found
from ganvas.scoring.measurement import Asked, Measurement
from ganvas.scoring.recording import log_found
from ganvas.scoring.references import own_reference
from ganvas.scoring.refitting import refitted
from ganvas.scoring.several import Measurements, build_extractors
from ganvas.scoring.subjects import ModelSubject, device_of, open_model
from ganvas.storage.checkpoints import LAST
from ganvas.storage.store import Store
from ganvas.sweeps.overrides import quoted
from ganvas.tracking.recorded import course


@final
@dataclass(frozen=True)
class Trained:
    """A finished training.

    Args:
        result: content of its ``result.json``.
        folder: output folder, with its checkpoint.
    """

    result: dict[str, Any]
    folder: Path

    @cached_property
    def subject(self) -> ModelSubject:
        """The final model and its training data, on the best device available."""
        return open_model(str(self.folder / LAST), device_of(None))

    def measured(self, metric: str, split: str) -> Found:
        """Measure scores of the final weights, by a metric that needs no extractor.

        Args:
            metric: name of the metric, such as ``elbo``.
            split: split of the run's own data.
        """
        subject, asked = self.subject, Asked(settings_of({}), n=0, seed=0)
        return Measurement(subject, own_reference(subject, split), None, asked, None).of([metric])

    def add_scores(
        self, metrics: Sequence[str], n: int, calibration: bool = False, settings: Mapping[str, Any] | None = None
    ) -> Found:
        """Measure further scores of the final weights, and add them to the run as ``ganvas score`` does.

        Args:
            metrics: names of metrics.
            n: number of samples.
            calibration: whether floor and ceiling are measured too.
            settings: settings of metrics that are not the shipped ones, by name.
        """
        found = self._measured(self.subject, metrics, n, calibration, settings or {})
        log_found(self.result["run_id"], found, self.subject.images_seen)
        return found

    def refitted(self, sampler: LatentSampler | None) -> ModelSubject:
        """Return the final model with latents drawn from a fitted distribution; from its prior without a sampler."""
        return refitted(self.subject, sampler)

    def with_sampler(self, sampler: LatentSampler | None, metric: str, n: int) -> float:
        """Measure a score from features of the final weights, with latents drawn as :meth:`refitted` says.

        Args:
            sampler: sampler of the latents; None draws from the prior.
            metric: name of the metric.
            n: number of samples.
        """
        (score,) = self._measured(self.refitted(sampler), [metric], n, False, {}).scores.values()
        return score.value

    def _measured(
        self, subject: ModelSubject, metrics: Sequence[str], n: int, calibration: bool, settings: Mapping[str, Any]
    ) -> Found:
        config = subject.config
        assert config is not None
        extractors = build_extractors(config.extractor, subject.model.device)
        asked = Asked(settings_of(settings), n, config.score.seed, calibration=calibration, output=self.folder)
        cache = Store(Path(config.paths.cache).expanduser())
        return Measurements(subject, own_reference(subject), extractors, asked, cache).of(metrics)

    def score(self, key: str) -> float:
        """Look up a final score by its key, such as ``score/mnist/fd``."""
        return float(self.result["scores"][key]["value"])

    def course(self, key: str) -> tuple[list[int], list[float]]:
        """Read a logged metric, such as ``train/critic/wasserstein``: images seen, and the value at each."""
        return course(self.result["run_id"], key)


def compose_preset(
    desk: Desk, experiment: str, label: str, seed: int, overrides: Sequence[str] = ()
) -> tuple[DictConfig, Job]:
    """Compose the config of a preset, as :func:`run_preset` trains it.

    Args:
        desk: desk of the program.
        experiment: name of the preset in ``conf/experiment``.
        label: tells this run from the others of the study, and names its folder.
        seed: seed of the training.
        overrides: overrides besides the preset.
    """
    folder = desk.folder / "runs" / re.sub(r"[^\w=.-]+", "-", label) / f"seed-{seed}"
    own = [f"experiment={experiment}", *overrides]
    places = {
        "seed": str(seed),
        "study": quoted(desk.study),
        "tracking.experiment": quoted(desk.experiment),
        "tracking.parent": quoted(desk.run_id),
        "tracking.label": quoted(label),
        "tracking.system_metrics": "false",
        "paths.data": quoted(desk.data),
        "paths.output": quoted(str(folder)),
    }
    cfg = compose("train", [*own, *(f"{key}={value}" for key, value in places.items())], return_hydra_config=True)
    choices, _ = as_given(cfg.hydra)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg, Job(folder, choices, own)


def run_preset(desk: Desk, experiment: str, label: str, seed: int, overrides: Sequence[str] = ()) -> Trained:
    """Train a preset and wait for its end; takes the arguments of :func:`compose_preset`.

    A reproduction that goes on takes a training that had ended from its folder, and resumes one that was stopped.
    """
    goes_on = [f"resume={AUTO}"] if desk.goes_on else []
    return _trained(desk, experiment, label, seed, [*overrides, *goes_on])


def _trained(desk: Desk, experiment: str, label: str, seed: int, overrides: Sequence[str]) -> Trained:
    cfg, job = compose_preset(desk, experiment, label, seed, overrides)
    job.output.mkdir(parents=True, exist_ok=True)
    return Trained(train(cfg, job), job.output)


def legs(
    desk: Desk, experiment: str, label: str, seed: int, budgets: Sequence[int], overrides: Sequence[str] = ()
) -> Iterator[tuple[int, Trained]]:
    """Train a preset with stops: one run, which resumes from its own checkpoint bit for bit.

    A reproduction that goes on begins it anew: of the stops before the last, nothing is left.

    Args:
        desk: desk of the program.
        experiment: name of the preset in ``conf/experiment``.
        label: tells this run from the others of the study, and names its folder.
        seed: seed of the training.
        budgets: numbers of images at which to stop, rising.
        overrides: overrides besides the preset.

    Yields:
        The budget and the run at that budget.
    """
    goes_on: list[str] = []
    for budget in budgets:
        found = _trained(desk, experiment, label, seed, [*overrides, f"budget.images={budget}", *goes_on])
        goes_on = [
            f"resume={quoted(str((found.folder / LAST).absolute()))}",
            f"tracking.run_id={quoted(found.result['run_id'])}",
        ]
        yield budget, found
