r"""Two-dimensional densities whose truth is known.

Equal mixtures of isotropic Gaussians, on a ring or a square grid, and the noisy Swiss roll:

.. math::
    p(x) &= \frac{1}{K} \sum_{k=1}^{K} \mathcal{N}(x; m_k, \sigma^2 I), \\
    p(x) &= \frac{1}{3\pi} \int_{3\pi/2}^{9\pi/2} \mathcal{N}(x; \gamma(t), \sigma^2 I) \, dt,
    \qquad \gamma(t) = t (\cos t, \sin t) / s.

Points are made at their natural scale and then divided by ``scale``, as in the papers' code, so that the standard
deviation of a mode is ``sigma / scale``.

Reference: Gulrajani et al. 2017, Figure 1 (gan_toy.py of https://github.com/igul222/improved_wgan_training);
Lin et al. 2018, Section 4.1, https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ganvas.data.source import DataError


class Density(ABC):
    """A distribution over the plane that can be sampled and evaluated.

    Attributes:
        sigma: standard deviation of the isotropic noise, after scaling.
        modes: means of the equally likely modes, ``(k, 2)``, after scaling; None for a density without modes.
    """

    sigma: float
    modes: Float[Tensor, "k 2"] | None

    @abstractmethod
    def sample(
        self, n: int, random: np.random.RandomState
    ) -> tuple[Float[np.ndarray, "n 2"], Int64[np.ndarray, " n"] | None]:
        """Draw ``n`` points in float64, and the mode of each; None if the density has no modes."""

    @abstractmethod
    def log_prob(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """Log density in nats, float64."""


def _positive(**values: float | int) -> None:
    for argument, value in values.items():
        if not value > 0:
            raise DataError(f"{argument}={value}: must be above 0.")


@final
class GaussianMixture(Density):
    """Equally likely isotropic Gaussians.

    Args:
        modes: mean of each Gaussian.
        sigma: standard deviation of every Gaussian, above 0.
    """

    modes: Float[Tensor, "k 2"]

    def __init__(self, modes: Float[Tensor, "k 2"], sigma: float) -> None:
        _positive(sigma=sigma)
        self.modes, self.sigma = modes.double(), sigma

    def sample(
        self, n: int, random: np.random.RandomState
    ) -> tuple[Float[np.ndarray, "n 2"], Int64[np.ndarray, " n"] | None]:
        """See :meth:`Density.sample`."""
        mode = random.randint(len(self.modes), size=n).astype(np.int64)
        return self.modes.numpy()[mode] + self.sigma * random.standard_normal((n, 2)), mode

    def log_prob(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """See :meth:`Density.log_prob`; exact."""
        return _mixture_log_prob(points, self.modes, self.sigma) - math.log(len(self.modes))


def ring(modes: int, radius: float, sigma: float, scale: float) -> GaussianMixture:
    r"""Modes :math:`r (\cos 2\pi k/K, \sin 2\pi k/K) / s`.

    Reference: Gulrajani et al. 2017 (8, 2, .02, 1.414); Lin et al. 2018 (8, 1, .01, 1)

    Args:
        modes: K, at least 1.
        radius: r, above 0.
        sigma: standard deviation of a mode before scaling.
        scale: s above 0, by which all coordinates are divided.
    """
    _positive(modes=modes, radius=radius, sigma=sigma, scale=scale)
    angle = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return GaussianMixture(torch.stack([angle.cos(), angle.sin()], dim=1) * (radius / scale), sigma / scale)


def grid(side: int, spacing: float, sigma: float, scale: float) -> GaussianMixture:
    r"""Modes :math:`\delta (i, j) / s` of a square centred on the origin.

    Reference: Gulrajani et al. 2017 (5, 2, .05, 2.828); Lin et al. 2018 (5, 2, .05, 1)

    Args:
        side: modes along each side, at least 1.
        spacing: distance of neighbours before scaling.
        sigma: standard deviation of a mode before scaling.
        scale: s above 0, by which all coordinates are divided.
    """
    _positive(side=side, spacing=spacing, sigma=sigma, scale=scale)
    line = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * (spacing / scale)
    return GaussianMixture(torch.cartesian_prod(line, line).reshape(-1, 2), sigma / scale)


@final
class SwissRoll(Density):
    """One and a half turns of a spiral with Gaussian noise: the first and last coordinate of scikit-learn's Swiss roll.

    Reference: Gulrajani et al. 2017 (noise .25, scale 7.5); sklearn.datasets.make_swiss_roll

    Args:
        noise: standard deviation before scaling.
        scale: number above 0 by which all coordinates are divided.
    """

    nodes = 4096
    """Quadrature points along the curve: 0.002 apart, where the integrand varies over noise / 14 = 0.018."""

    def __init__(self, noise: float, scale: float) -> None:
        _positive(noise=noise, scale=scale)
        self.scale, self.sigma, self.modes = scale, noise / scale, None

    def sample(
        self, n: int, random: np.random.RandomState
    ) -> tuple[Float[np.ndarray, "n 2"], Int64[np.ndarray, " n"] | None]:
        """See :meth:`Density.sample`; it has no modes."""
        t = torch.from_numpy(random.uniform(1.5 * math.pi, 4.5 * math.pi, size=n))
        return self._curve(t).numpy() + self.sigma * random.standard_normal((n, 2)), None

    def log_prob(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """See :meth:`Density.log_prob`; by the midpoint rule over the curve."""
        middle = (torch.arange(self.nodes, dtype=torch.float64) + 0.5) / self.nodes
        curve = self._curve(math.pi * (1.5 + 3 * middle))
        return torch.cat([_mixture_log_prob(part, curve, self.sigma) for part in points.split(1024)]) - math.log(
            self.nodes
        )

    def _curve(self, t: Float[Tensor, " n"]) -> Float[Tensor, "n 2"]:
        return torch.stack([t * t.cos(), t * t.sin()], dim=1) / self.scale


def _mixture_log_prob(points: Float[Tensor, "n 2"], means: Float[Tensor, "k 2"], sigma: float) -> Float[Tensor, " n"]:
    """Log of the sum over means of an isotropic Gaussian's density."""
    # The expanded square of a distance would lose digits for a small sigma.
    distance = torch.cdist(points.double(), means, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.logsumexp(-0.5 * (distance / sigma) ** 2, dim=1) - math.log(2 * math.pi * sigma**2)
