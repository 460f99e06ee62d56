"""Scores from features, with their protocol, and the calibration rows beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ganvas.config import ConfigError
from ganvas.extractors.features import Features
from ganvas.health.findings import finding_on_classes
from ganvas.scoring.calibration import Row, ceiling, floor
from ganvas.scoring.found import Found
from ganvas.scoring.kept import kept_row, know_radii
from ganvas.scoring.protocol import Protocol, warnings_for
from ganvas.scoring.scores import GROUPS, check_metrics, expand, scores
from ganvas.scoring.stand_ins import CEILINGS, training_images
from ganvas.scoring.statistics_file import Statistics
from ganvas.scoring.task import Part, Task

ROWS: Mapping[str, Callable[..., Row]] = MappingProxyType({"floor": floor, "ceiling": ceiling})


def feature_scores(task: Task, names: Sequence[str]) -> Found:
    """Every metric asked for, from one pass over either side.

    Args:
        task: what is scored, against what.
        names: of metrics, see :data:`ganvas.scoring.scores.METRICS`.
    """
    check_metrics(names, task.require_extractor().name)
    _require_channels(task)
    real, fake = task.real, task.fake
    _require_variety(task, real, fake)
    protocol = protocol_of(task, real, fake)
    if isinstance(real, Features) and set(expand(names)) & set(GROUPS["prdc"]):
        know_radii(task, real)
    rows, stand_ins = (
        _calibration(task, real, names) if task.cfg.calibration and isinstance(real, Features) else ({}, {})
    )
    return Found(
        scores=scores(real, fake, names, task.settings),
        floor=_values(rows.get("floor")),
        ceiling=_values(rows.get("ceiling")),
        stand_ins=stand_ins,
        protocol=protocol,
        findings=() if isinstance(real, Statistics) else finding_on_classes(real, fake),
        notes=tuple(warnings_for(protocol)) + _short(rows.get("floor"), fake.n),
    )


def protocol_of(task: Task, real: Features | Statistics, fake: Features) -> Protocol:
    """How the scores from features were measured.

    Args:
        task: what is scored, against what.
        real: the reference.
        fake: what is scored.
    """
    extractor, reference = task.require_extractor(), task.reference
    if isinstance(real, Statistics):
        fingerprint = real.fingerprint()
    else:
        fingerprint = reference.examples(reference.split, "a score").fingerprint()
    return extractor.protocol(
        reference=reference.name,
        reference_fingerprint=fingerprint,
        split=reference.split,
        n_real=real.n,
        n_fake=fake.n,
        weights=task.subject.weights,
        sample_seed=None if task.subject.weights == "images" else task.cfg.seed,
        settings=task.settings,
    )


def _calibration(task: Task, real: Features, names: Sequence[str]) -> tuple[dict[str, Row], dict[str, str]]:
    """The rows that can be had, and what stands in the generator's place on each."""
    parts = {"floor": training_images(task), "ceiling": CEILINGS[task.cfg.ceiling](task)}
    found = {row: part for row, part in parts.items() if part is not None}
    rows = {row: _row(task, real, part, names, ROWS[row]) for row, part in found.items()}
    return rows, {row: f"{rows[row].n} of {part.name}" for row, part in found.items()}


def _row(task: Task, real: Features, part: Part, names: Sequence[str], make: Callable[..., Row]) -> Row:
    return kept_row(task, part, names, lambda: make(real, task.cached(part), task.n, names, task.settings))


def _require_channels(task: Task) -> None:
    """Refuse grey against colour before any extractor is run, which may itself take only one of them."""
    if task.reference.statistics is not None:
        return
    real = task.reference.examples(task.reference.split, "a score").shape
    if len(real) == 3 and real[0] != task.subject.shape[0]:
        raise ConfigError(
            f"{task.subject.name}: images of {task.subject.shape[0]} channels against {real[0]} of the reference "
            f"{task.reference.name}; convert one side, or check that they are those you meant"
        )


def _require_variety(task: Task, real: Features | Statistics, fake: Features) -> None:
    """Refuse files of one image over and over, which is no data; a model that has collapsed so far is scored."""
    sides = {task.reference.name: real, task.subject.name: fake if task.subject.weights == "images" else None}
    for name, side in sides.items():
        if isinstance(side, Features) and side.n > 1 and bool((side.values == side.values[0]).all()):
            raise ConfigError(f"{name}: all {side.n} images are equal to the extractor; check how they were made")


def _values(row: Row | None) -> dict[str, float]:
    found = {} if row is None else {key: score.value for key, score in row.scores.items()}
    return {key: value for key, value in found.items() if math.isfinite(value)}


def _short(row: Row | None, n: int) -> tuple[str, ...]:
    if row is None or row.n >= n:
        return ()
    return (f"the floor is of {row.n} training images, all there are, against {n} generated ones",)
