r"""Mode coverage of a planar mixture: number of modes found, and share of points close to a mode.

.. math:: \text{high quality: } \min_k \lVert x - m_k \rVert < 3 \sigma, \qquad
    \text{covered: at least one high-quality point}, \qquad \mathrm{KL}(\hat p \,\|\, \text{uniform})

where :math:`\hat p` are the shares of the modes among the high-quality points; each point counts for its nearest mode.
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
"""Radius of a mode in its standard deviations; Lin et al. 2018, section 4.1."""
HIGH_QUALITY_CEILING: Final = 1 - math.exp(-(RADIUS**2) / 2)
"""Share of a mode's own points within the radius, 0.98889: the score of a perfect model if the modes are far apart."""


@final
@dataclass(frozen=True)
class ModeCoverage:
    """Mode coverage of samples, for a mixture with equal weights.

    Args:
        covered: number of modes with at least one high-quality point.
        modes: number of modes of the mixture.
        high_quality: share of high-quality points, at most about :data:`HIGH_QUALITY_CEILING` for a perfect model.
        reverse_kl: divergence of the modes' shares from the uniform, in nats, at most ``log(modes)``; infinite if there
            is no high-quality point.
    """

    covered: int
    modes: int
    high_quality: float
    reverse_kl: float


def mode_coverage(points: Float[Tensor, "n 2"], modes: Float[Tensor, "k 2"], sigma: float) -> ModeCoverage:
    r"""Compute the number of covered modes, the high-quality share and the reverse KL.

    .. math:: n_k = \#\{ x : k = \arg\min_j \lVert x - m_j \rVert, \; \lVert x - m_k \rVert < 3 \sigma \}

    Reference: Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086 (2,500 samples); the counts are those of
    its code, https://github.com/fjxmlzn/PacGAN (MetricLogger).

    Args:
        points: samples, in the data's units.
        modes: means of the mixture.
        sigma: standard deviation of each mode, positive, same units.

    Raises:
        ValueError: there is no point, or ``sigma`` is not positive.
    """
    if not len(points) or not sigma > 0:
        raise ValueError(f"points, sigma: expected at least one point and a positive sigma, got {len(points)}, {sigma}")
    # Use differences: the expanded square loses precision if sigma is small. A NaN point is near no mode.
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
    """Score samples; floor: points of the data; ceiling: uniform points in the data's box, or points of one mode."""
    source = material.source()
    density = source.density if isinstance(source, DensitySource) else None
    if not isinstance(density, GaussianMixture):
        raise ValueError(
            f"metrics: modes needs a mixture of Gaussians, as data=ring or grid, but {material.reference} is not one"
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
    """Take data points of one mode, repeated if there are too few."""
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
    "modes of a planar mixture that samples cover, and share of samples near a mode (data=ring, grid)",
    "modes",
)
