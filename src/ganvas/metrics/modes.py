r"""Modes of a planar mixture: which are found, and how many points lie on any.

.. math:: \text{high quality: } \min_k \lVert x - m_k \rVert < 3 \sigma, \qquad
    \text{covered: at least one high-quality point}, \qquad \mathrm{KL}(\hat p \,\|\, \text{uniform})

with :math:`\hat p` the shares of the modes among the high-quality points, each counted to its nearest mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.data.batches import model_input
from ganvas.data.sources.densities import GaussianMixture
from ganvas.data.sources.density_source import DensitySource
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score
from ganvas.metrics.histogram import histogram_kl

RADIUS: Final = 3.0
"""In standard deviations of a mode; Lin et al. 2018, section 4.1."""
HIGH_QUALITY_CEILING: Final = 1 - math.exp(-(RADIUS**2) / 2)
"""Share of a mode's own points within the radius, 0.98889: what a perfect model scores where modes are far apart."""


@final
@dataclass(frozen=True)
class ModeCoverage:
    """How samples lie on the modes of an equal mixture.

    Args:
        covered: modes with at least one high-quality point.
        modes: modes there are.
        high_quality: share of high-quality points, at most about :data:`HIGH_QUALITY_CEILING` for a perfect model.
        reverse_kl: of the modes' shares from the uniform, nats, at most ``log(modes)``; infinite without any
            high-quality point.
    """

    covered: int
    modes: int
    high_quality: float
    reverse_kl: float


def mode_coverage(points: Float[Tensor, "n 2"], modes: Float[Tensor, "k 2"], sigma: float) -> ModeCoverage:
    r"""Modes covered, high-quality share and reverse divergence.

    .. math:: n_k = \#\{ x : k = \arg\min_j \lVert x - m_j \rVert, \; \lVert x - m_k \rVert < 3 \sigma \}

    Reference: Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086 (2,500 samples); the counts are those of
    its code, https://github.com/fjxmlzn/PacGAN (MetricLogger).

    Args:
        points: samples, in the data's units.
        modes: means of the mixture.
        sigma: standard deviation of each mode, positive, same units.

    Returns:
        The three numbers of the papers, and how many modes there are.

    Raises:
        ValueError: no point, or a standard deviation that is not positive.
    """
    if not len(points) or not sigma > 0:
        raise ValueError(f"points, sigma: expected at least one point and a positive sigma, got {len(points)}, {sigma}")
    # Differences, not the expanded square, which would cancel where sigma is small; NaN is near no mode.
    distances = torch.cdist(points.double(), modes.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.min(dim=1)
    counts = torch.bincount(nearest.indices[nearest.values < RADIUS * sigma], minlength=len(modes))
    return ModeCoverage(
        covered=int((counts > 0).sum()),
        modes=len(modes),
        high_quality=int(counts.sum()) / len(points),
        reverse_kl=histogram_kl(counts, torch.ones_like(counts)),
    )


def _modes(material: Material) -> Measured:
    """Floor: true points. Ceiling: points uniform in the box around the data, or of one mode."""
    source = material.source()
    density = source.density if isinstance(source, DensitySource) else None
    if not isinstance(density, GaussianMixture):
        raise ValueError(
            f"metrics: modes needs a mixture of Gaussians, {material.reference} is none; it is for data=ring and grid"
        )
    test = material.examples(material.split, "modes")
    real = model_input(test.batch(torch.arange(min(len(test), material.n))))
    worst = _one_mode(material) if material.ceiling == "one_mode" else _in_the_box(material, real)
    sides = (material.draw(), real, worst)
    found, floor, ceiling = (_named(mode_coverage(x, density.modes, density.sigma)) for x in sides)
    scores = {name: Score(value, None, "") for name, value in found.items()}
    return Measured(scores, floor, ceiling, conditions={"n": material.n})


def _in_the_box(material: Material, real: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(material.settings.seed)
    low, high = real.amin(0), real.amax(0)
    return low + (high - low) * torch.rand(material.n, 2, generator=generator)


def _one_mode(material: Material) -> Tensor:
    """True points of one mode, again and again where there are too few."""
    examples, index, _ = material.one_mode()
    return model_input(examples.batch(index))[torch.arange(material.n) % len(index)]


def _named(found: ModeCoverage) -> dict[str, float]:
    return {
        "covered": float(found.covered),
        "high_quality": found.high_quality,
        "reverse_kl": found.reverse_kl,
    }


METRIC = Metric(
    "modes",
    SAMPLES,
    {"covered": False, "high_quality": False, "reverse_kl": True},
    (),
    1,
    _modes,
    "modes of a planar mixture that samples reach (data=ring, grid)",
    "modes",
)
