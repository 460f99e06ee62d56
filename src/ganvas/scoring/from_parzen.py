"""Parzen-window log-likelihood of the samples, beside that of as many real training images."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.config import ConfigError
from ganvas.data.source import Examples
from ganvas.metrics.parzen import parzen, unit_pixels
from ganvas.scoring.found import Found
from ganvas.scoring.scores import Score
from ganvas.scoring.task import Task

KEY = "score/parzen/log_likelihood"


def parzen_score(task: Task) -> Found:
    """Log-likelihood in nats; its floor column is what real images score, which models may exceed."""
    if len(task.subject.shape) != 3:
        raise ConfigError("metrics: parzen is defined on images; leave it out, or write metrics=[modes] for points")
    s, seed = task.cfg.parzen, task.settings.seed
    validation = _drawn(_examples(task, "val"), s.validation, seed)
    test = _drawn(_examples(task, task.reference.split), s.test, seed)
    samples = unit_pixels(task.subject.draw(s.samples, task.cfg.seed, task.cfg.batch_size)[: s.samples])
    found = parzen(samples, validation, test, list(s.sigmas))
    mean = found.log_likelihood
    over = f"{mean.n} {task.reference.split} images, sigma={found.sigma:.3g}"
    facts = {"samples": len(samples), "validation": len(validation), "test": len(test), "sigmas": list(s.sigmas)}
    return Found(
        scores={KEY: Score(mean.mean, mean.standard_error, over)},
        floor=_real(task, len(samples), validation, test),
        conditions={KEY: task.conditions(seed=seed, **facts)},
        notes=(f"parzen chose sigma={found.sigma:.3g}, the edge of its candidates",) * found.at_edge,
    )


def _real(task: Task, n: int, validation: Tensor, test: Tensor) -> dict[str, float]:
    """What real training images score in the place of samples."""
    if not task.cfg.calibration or task.reference.split == "train":
        return {}
    real = _drawn(_examples(task, "train"), n, task.settings.seed)
    return {KEY: parzen(real, validation, test, list(task.cfg.parzen.sigmas)).log_likelihood.mean}


def _examples(task: Task, split: str) -> Examples:
    return task.reference.examples(split, "parzen")


def _drawn(examples: Examples, n: int, seed: int) -> Tensor:
    index = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed))[:n]
    return unit_pixels(examples.batch(index))
