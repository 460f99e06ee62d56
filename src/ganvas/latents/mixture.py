r"""A Gaussian mixture as prior: normals of equal weight on a circle in the plane of the first two coordinates.

.. math:: p(z) = \frac{1}{K} \sum_{k=0}^{K-1} N(z; \mu_k, \sigma^2 I), \qquad
    \mu_k = r \, (\cos \tfrac{2 \pi k}{K}, \; \sin \tfrac{2 \pi k}{K}, \; 0, \dots, 0)

With one latent the means are evenly spaced on :math:`[-r, r]`. The divergence of a normal from the mixture has no
closed form, so the objective estimates it from draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.priors import check_dim
from ganvas.types import Posterior


@final
@dataclass(frozen=True)
class GaussianMixture:
    r"""Mixture of components :math:`N(\mu_k, \sigma^2 I)` of equal weight on a circle.

    Reference: Makhzani et al. 2015, section 2.3 and Figure 4, https://arxiv.org/abs/1511.05644 (a mixture as prior)

    Args:
        dim: dimension of the latent, at least 1.
        components: :math:`K`, at least 1.
        radius: :math:`r`, at least 0.
        sigma: :math:`\sigma`, standard deviation of each component, positive.

    Raises:
        ValueError: an argument out of range.
    """

    dim: int
    components: int
    radius: float
    sigma: float
    space: ClassVar[str] = "reals"

    def __post_init__(self) -> None:
        check_dim(self.dim)
        if self.components < 1 or self.radius < 0 or not self.sigma > 0:
            raise ValueError(
                f"prior: got components={self.components}, radius={self.radius}, sigma={self.sigma}; expected at least "
                "1, at least 0 and above 0. Fix: set prior.components, prior.radius, prior.sigma."
            )

    @cached_property
    def _placed(self) -> dict[torch.device, Tensor]:
        return {}

    def _means_on(self, device: torch.device | str) -> Float[Tensor, "components d"]:
        """The means on a device, where they are copied once: a copy for each draw would keep a GPU waiting."""
        place = torch.device(device)
        if place not in self._placed:
            self._placed[place] = self.means.to(place)
        return self._placed[place]

    @cached_property
    def means(self) -> Float[Tensor, "components d"]:
        """Means of the components, ``(K, dim)``."""
        means = torch.zeros(self.components, self.dim)
        if self.dim == 1:
            means[:, 0] = torch.linspace(-self.radius, self.radius, self.components)
        else:
            angle = 2 * pi * torch.arange(self.components) / self.components
            means[:, 0], means[:, 1] = self.radius * angle.cos(), self.radius * angle.sin()
        return means

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``.
        """
        component = torch.randint(self.components, (n,), device=device, generator=generator)
        noise = torch.randn(n, self.dim, device=device, generator=generator, dtype=torch.float32)
        return self._means_on(device)[component] + self.sigma * noise

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        distance = ((z[..., None, :] - self._means_on(z.device).to(z.dtype)) / self.sigma).square().sum(-1)
        constant = self.dim * log(self.sigma * (2 * pi) ** 0.5) + log(self.components)
        return torch.logsumexp(-0.5 * distance, dim=-1) - constant

    def kl(self, posterior: Posterior) -> None:
        """Return None, because no closed form is known."""

    @property
    def reach(self) -> float:
        """Radius plus three standard deviations."""
        return self.radius + 3 * self.sigma

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate on the straight line.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        return torch.lerp(a, b, t[:, None])
