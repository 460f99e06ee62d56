"""Modes of a planar mixture that the samples of a training cover, and scatter plots of the samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from ganvas.data.sources.densities import GaussianMixture
from ganvas.metrics.modes import ModeCoverage, mode_coverage
from ganvas.papers.training import Trained

SAMPLES: Final = 2_500
"""Number of samples that count, as in Lin et al. 2018, section 4.1."""


def planar_samples(trained: Trained) -> Float[Tensor, "n 2"]:
    """Draw the samples that count."""
    return trained.subject.model.sample(SAMPLES, seed=0).cpu()


def coverage_of(trained: Trained, samples: Float[Tensor, "n 2"]) -> ModeCoverage:
    """Count the modes of the training's density that samples cover.

    Args:
        trained: a training on a mixture.
        samples: points.
    """
    density = trained.subject.data.source.density  # type: ignore[attr-defined]
    assert isinstance(density, GaussianMixture)
    return mode_coverage(samples, density.modes, density.sigma)


def scattered(shown: Mapping[str, Float[Tensor, "n 2"]], columns: int, reach: float | None = None) -> Figure:
    """Plot points beside each other.

    Args:
        shown: points by title, as many as fill whole rows.
        columns: number of plots in a row.
        reach: half the side of each plot; None fits it to the points.
    """
    rows = len(shown) // columns
    figure = Figure(figsize=(4 * columns, 4 * rows))
    for axes, (title, points) in zip(figure.subplots(rows, columns, squeeze=False).flat, shown.items(), strict=True):
        axes.scatter(points[:, 0], points[:, 1], s=2)
        axes.set(
            title=title, aspect="equal", **({} if reach is None else {"xlim": (-reach, reach), "ylim": (-reach, reach)})
        )
    return figure
