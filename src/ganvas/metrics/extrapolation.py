r"""Extrapolation of a score to infinitely many images.

.. math:: s_N \approx s_\infty + b / N, \qquad
    (\hat s_\infty, \hat b) = \arg\min_{s, b} \sum_j (s_{N_j} - s - b / N_j)^2

for scores whose bias at N images is proportional to 1/N. The score is measured on random subsets of several sizes, and
the line is read at 1/N = 0.

Reference: Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.settings import Setting


@final
@dataclass(frozen=True)
class Line:
    """The sizes of the subsets, and their seed.

    Args:
        points: number of sizes, at least 3.
        share: smallest size as a share of all images, in (0, 1).
        seed: seed of the subsets; the global random state is not used.
    """

    points: int
    share: float
    seed: int

    def counts(self, n: int) -> list[int]:
        """Return evenly spaced sizes from ``share * n`` to ``n``."""
        return [round(x) for x in torch.linspace(self.share * n, n, self.points, dtype=torch.float64).tolist()]


def line_settings(metric: str) -> tuple[Setting, Setting]:
    """Make the settings of an extrapolated metric: the number of sizes, and the smallest one.

    Args:
        metric: name of the metric.
    """
    points = Setting(
        f"{metric}_points", 15, "number of sample counts that the line is fitted to (the paper: 15)", least=3
    )
    share = "smallest sample count as a share of all samples (the paper: 0.1)"
    return points, Setting(f"{metric}_share", 0.1, share, least=0, below=1)


def extrapolated(
    score: Callable[[Float[Tensor, "m d"]], float], images: Float[Tensor, "n d"], line: Line
) -> tuple[float, float]:
    """Extrapolate a score of images to infinitely many.

    Args:
        score: score of some of the images.
        images: features or logits, in rows.
        line: sizes and seed of the subsets.

    Returns:
        The intercept, and its standard error from the residuals of the line.
    """
    counts = line.counts(len(images))
    generator = torch.Generator().manual_seed(line.seed)
    subsets = (images[torch.randperm(len(images), generator=generator)[:count]] for count in counts)
    scores = torch.tensor([score(subset) for subset in subsets], dtype=torch.float64)
    return intercept(1 / torch.tensor(counts, dtype=torch.float64), scores)


def intercept(x: Float64[Tensor, " p"], y: Float64[Tensor, " p"]) -> tuple[float, float]:
    """Fit a line by least squares; return its intercept and the standard error."""
    design = torch.stack([torch.ones_like(x), x], dim=1)
    inverse = torch.linalg.inv(design.T @ design)
    line = inverse @ design.T @ y
    variance = (y - design @ line).square().sum() / (len(x) - 2)
    return float(line[0]), float((variance * inverse[0, 0]).sqrt())
