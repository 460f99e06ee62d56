"""Bounds on the evidence of test images, of two models that saw the same images, and how papers compare them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.nll import importance_bound
from ganvas.papers.judgement import Measured
from ganvas.papers.training import Trained
from ganvas.types import BoundsEvidence


def bounding(trained: Trained) -> BoundsEvidence:
    """Return the final model."""
    model = trained.subject.model
    assert isinstance(model, BoundsEvidence)
    return model


def held_out_bounds(
    trained: Trained, k: int, n: int | None = None, *, batch: int = 250, chunk: int = 100
) -> Float[Tensor, " n"]:
    """Compute the importance-weighted bound of test images; every model sees the same, binarised in the same way.

    Args:
        trained: a training.
        k: draws for each image.
        n: number of images; None takes all.
        batch: images in one batch.
        chunk: draws in one forward pass.
    """
    model = bounding(trained)
    device = trained.subject.model.device
    images = (part.to(device) for part in trained.subject.data.held_out("test", n, batch))
    torch.manual_seed(0)
    return importance_bound(model.log_weights, images, k, chunk)


def nll(bound: Float[Tensor, " n"]) -> Measured:
    """Measure the mean of the negative bounds, with its standard error over images."""
    found = mean_error(-bound)
    return Measured([found.mean], found.standard_error)


def gap(better: Float[Tensor, " n"], worse: Float[Tensor, " n"]) -> Measured:
    """Measure how much higher one model's bounds are than another's, paired by image."""
    found = mean_error(better - worse)
    return Measured([found.mean], found.standard_error)


def histograms(values: dict[str, Float[Tensor, " n"]]) -> Figure:
    """Draw the negative bounds of each model.

    Args:
        values: bounds by the model's name.
    """
    figure = Figure(figsize=(6, 4))
    axes = figure.subplots()
    high = math.ceil(max(float((-v).quantile(0.999)) for v in values.values()))
    for name, bound in values.items():
        label = f"{name}: {-float(bound.mean()):.2f}"
        axes.hist((-bound).numpy(), bins=100, range=(0, high), histtype="step", label=label)
    axes.set(xlabel="negative log-likelihood bound of a test digit, nats", ylabel="digits")
    axes.legend()
    return figure
