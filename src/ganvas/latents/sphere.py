r"""The uniform prior on the unit sphere.

.. math:: p(z) = \frac{\Gamma(m/2)}{2 \pi^{m/2}}, \qquad z \in S^{m-1} = \{ z \in \mathbb{R}^m : \|z\| = 1 \},

a density with respect to the area of the sphere. With m coordinates the sphere has m - 1 dimensions, which is the
:math:`d` of the paper's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ganvas.latents.von_mises_fisher import VonMisesFisherPosterior, log_area
from ganvas.types import Posterior

CLOSE: Final = 1e-3
"""Distance of a norm from 1 that counts as rounding."""


@final
@dataclass(frozen=True)
class UniformSphere:
    """Uniform distribution on the unit sphere.

    Reference: Davidson et al. 2018, section 3.3, https://arxiv.org/abs/1804.00891

    Args:
        dim: number of coordinates, at least 2.

    Raises:
        ValueError: ``dim`` is below 2.
    """

    dim: int
    space: ClassVar[str] = "sphere"
    reach: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if self.dim < 2:
            raise ValueError(f"argument `dim` is {self.dim}; expected >= 2 for a sphere. Fix: set prior.dim.")

    @property
    def variance(self) -> float:
        """Variance of each coordinate, since the squares of all add up to 1."""
        return 1 / self.dim

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32``, of norm 1.
        """
        noise = torch.randn(n, self.dim, device=device, generator=generator, dtype=torch.float32)
        return normalize(noise, dim=-1)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats; minus infinity off the sphere.

        Args:
            z: latents, with any leading dimensions.
        """
        off = (z.norm(dim=-1) - 1).abs() > CLOSE
        return z.new_full(off.shape, -log_area(self.dim)).masked_fill(off, -torch.inf)

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        r"""Interpolate on the great circle.

        .. math:: z_t = \frac{\sin((1 - t) \Omega) \, a + \sin(t \Omega) \, b}{\sin \Omega}, \qquad
            \cos \Omega = a^T b

        Reference: Shoemake 1985, section 3.3, https://doi.org/10.1145/325165.325242.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        omega = 2 * torch.atan2((a - b).norm(), (a + b).norm())
        from_a, to_b = (torch.sinc(part * omega / torch.pi) * part for part in (1 - t, t))  # a limit for equal ends
        return normalize(from_a[:, None] * a + to_b[:, None] * b, dim=-1)

    def kl(self, posterior: Posterior) -> Float[Tensor, "n 1"] | None:
        """Compute the divergence of a von Mises-Fisher posterior, nats; None for any other."""
        return posterior.kl_from_uniform() if isinstance(posterior, VonMisesFisherPosterior) else None
