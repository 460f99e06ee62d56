"""Modes that the samples reach: of a planar mixture, and of stacked digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data.batches import model_input
from ganvas.data.sources.densities import GaussianMixture
from ganvas.data.sources.density_source import DensitySource
from ganvas.extractors.features import extract
from ganvas.extractors.mnist import MnistExtractor
from ganvas.metrics.histogram import sampling_floor
from ganvas.metrics.modes import ModeCoverage, mode_coverage
from ganvas.metrics.stacked_modes import stacked_modes
from ganvas.scoring.found import Found
from ganvas.scoring.scores import Score
from ganvas.scoring.stand_ins import members, one_mode_source
from ganvas.scoring.task import Task

DIGITS = 10


def modes(task: Task) -> Found:
    """Modes covered, high-quality share, reverse divergence; floor: true points, ceiling: uniform ones or one mode."""
    source = task.reference.source
    density = source.density if isinstance(source, DensitySource) else None
    if not isinstance(density, GaussianMixture):
        raise ConfigError(
            f"metrics: modes needs a mixture of Gaussians, {task.reference.name} is none; it is for data=ring and grid"
        )
    drawn = task.subject.draw(task.cfg.n, task.cfg.seed, task.cfg.batch_size)
    test = task.reference.examples(task.reference.split, "modes")
    real = model_input(test.batch(torch.arange(min(len(test), task.n))))
    found = _coverage(mode_coverage(drawn, density.modes, density.sigma))
    facts = task.conditions(n=task.n)
    return Found(
        scores={key: Score(value, None, "") for key, value in found.items()},
        floor=_coverage(mode_coverage(real, density.modes, density.sigma)),
        ceiling=_coverage(mode_coverage(CEILINGS[task.cfg.ceiling](task, real), density.modes, density.sigma)),
        conditions=dict.fromkeys(found, facts),
    )


def _in_the_box(task: Task, real: Tensor) -> Tensor:
    """Points uniform in the smallest box around the data."""
    generator = torch.Generator().manual_seed(task.settings.seed)
    low, high = real.amin(0), real.amax(0)
    return low + (high - low) * torch.rand(task.n, 2, generator=generator)


def _one_mode(task: Task, real: Tensor) -> Tensor:
    """True points of one mode, drawn with replacement where there are too few."""
    examples = one_mode_source(task)
    index, _ = members(task, examples)
    return model_input(examples.batch(index))[torch.arange(task.n) % len(index)]


CEILINGS: Mapping[str, Callable[[Task, Tensor], Tensor]] = MappingProxyType(
    {"noise": _in_the_box, "one_mode": _one_mode}
)


def stacked(task: Task) -> Found:
    """Modes of stacked digits that the embedded classifier reads, and their divergence from the uniform."""
    shape = task.subject.shape
    if shape != (3, 28, 28):
        raise ConfigError(f"metrics: stacked_modes reads images of shape (3, 28, 28), {task.subject.name} has {shape}")
    digits = task.subject.draw(task.cfg.n, task.cfg.seed, task.cfg.batch_size).flatten(0, 1)[:, None]
    extractor = MnistExtractor()
    logits = extract(extractor, digits, task.cfg.batch_size).logits
    assert logits is not None
    found = stacked_modes(logits.argmax(1).unflatten(0, (-1, shape[0])), DIGITS)
    covered, divergence = "score/stacked/modes", "score/stacked/kl"
    facts = {"n": task.n, "classifier": extractor.weights_hash, "weights": task.subject.weights}
    return Found(
        scores={covered: Score(float(found.covered), None, ""), divergence: Score(found.kl, None, "")},
        floor={divergence: sampling_floor(task.n, found.modes)[0]},
        conditions={covered: facts, divergence: facts},
    )


def _coverage(found: ModeCoverage) -> dict[str, float]:
    return {
        "score/modes/covered": float(found.covered),
        "score/modes/high_quality": found.high_quality,
        "score/modes/reverse_kl": found.reverse_kl,
    }
