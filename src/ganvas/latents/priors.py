r"""Priors over latents: independent coordinates, standard normal or uniform.

.. math:: \log N(z; 0, I) = -\tfrac12 \|z\|^2 - \tfrac d2 \log 2\pi, \qquad \log U(z; -b, b) = -d \log 2b.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, pi
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from ganvas.latents.kl import cholesky_kl, normal_kl
from ganvas.latents.posteriors import as_normal
from ganvas.types import Posterior, Prior


def check_dim(dim: int) -> None:
    """Raise a ValueError if the dimension is below 1."""
    if dim < 1:
        raise ValueError(f"argument `dim` is {dim}; expected >= 1. Fix: set prior.dim.")


@final
@dataclass(frozen=True)
class Normal:
    """Standard normal.

    Args:
        dim: dimension of the latent, at least 1.

    Raises:
        ValueError: ``dim`` is below 1.
    """

    dim: int
    space: ClassVar[str] = "reals"
    reach: ClassVar[float] = 3.0
    variance: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_dim(self.dim)

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
        return torch.randn(n, self.dim, device=device, generator=generator, dtype=torch.float32)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats.

        Args:
            z: latents, with any leading dimensions.
        """
        return -0.5 * (z.square().sum(-1) + self.dim * log(2 * pi))

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        r"""Interpolate on a path from one draw to another on which every point has the prior's distribution.

        .. math:: z_t = \cos(\tfrac\pi2 t) \, a + \sin(\tfrac\pi2 t) \, b \sim N(0, I)
            \quad \text{for independent } a, b \sim N(0, I)

        On a straight line, norms would be smaller than those of almost all draws.

        Reference: White 2016, section 2.1, https://arxiv.org/abs/1609.04468.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        angle = t[:, None] * (pi / 2)
        return angle.cos() * a + angle.sin() * b

    def truncated(self, bound: float) -> Prior:
        """Cut the tails off, see :class:`~ganvas.latents.TruncatedNormal`.

        Args:
            bound: threshold, positive.
        """
        from ganvas.latents.truncated import TruncatedNormal  # it is made from this class

        prior: Any = TruncatedNormal(self.dim, bound)  # a frozen value, whose fields a protocol cannot ask for
        return prior

    def kl(self, posterior: Posterior) -> Float[Tensor, "n d"] | None:
        """Compute the divergence of a normal by coordinate, nats; None for any other posterior."""
        if isinstance(posterior, MultivariateNormal):
            return cholesky_kl(posterior.loc, posterior.scale_tril)
        normal = as_normal(posterior)
        return None if normal is None else normal_kl(normal.loc, normal.scale)


@final
@dataclass(frozen=True)
class Uniform:
    """Uniform distribution on the cube [-bound, bound]^dim.

    Args:
        dim: dimension of the latent, at least 1.
        bound: half the side of the cube, positive; sqrt(3) gives unit variance.

    Raises:
        ValueError: ``dim`` is below 1, or ``bound`` is not positive.
    """

    dim: int
    bound: float
    space: ClassVar[str] = "cube"

    def __post_init__(self) -> None:
        check_dim(self.dim)
        if not self.bound > 0:
            raise ValueError(f"argument `bound` is {self.bound}; expected > 0. Fix: set prior.bound.")

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32`` in [-bound, bound).
        """
        unit = torch.rand(n, self.dim, device=device, generator=generator, dtype=torch.float32)
        return (2 * unit - 1) * self.bound

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats; minus infinity outside the cube.

        Args:
            z: latents, with any leading dimensions.
        """
        inside = (z.abs() <= self.bound).all(-1)
        density = z.new_full(inside.shape, -self.dim * log(2 * self.bound))
        return density.masked_fill(~inside, -inf)

    @property
    def reach(self) -> float:
        """Half the side of the cube."""
        return self.bound

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate on the straight line, which stays inside the cube.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        return torch.lerp(a, b, t[:, None])

    def kl(self, posterior: Posterior) -> None:
        """Return None: a posterior with density outside the cube has an infinite divergence."""
