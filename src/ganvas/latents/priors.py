r"""Priors over latents: independent coordinates, standard normal or uniform.

.. math:: \log N(z; 0, I) = -\tfrac12 \|z\|^2 - \tfrac d2 \log 2\pi, \qquad \log U(z; -b, b) = -d \log 2b.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, pi
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.kl import normal_kl
from ganvas.latents.posteriors import as_normal
from ganvas.types import Posterior


def check_dim(dim: int) -> None:
    """Refuse a dimension below one."""
    if dim < 1:
        raise ValueError(f"argument `dim` is {dim}; expected >= 1. Fix: set prior.dim.")


@final
@dataclass(frozen=True)
class Normal:
    """Standard normal.

    Args:
        dim: dimension of the latent.

    Raises:
        ValueError: a dimension below one.
    """

    dim: int
    everywhere: ClassVar[bool] = True
    reach: ClassVar[float] = 3.0

    def __post_init__(self) -> None:
        check_dim(self.dim)

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: how many.
            device: where they are drawn.
            generator: on ``device``; without one the global one is used.

        Returns:
            ``float32``.
        """
        return torch.randn(n, self.dim, device=device, generator=generator, dtype=torch.float32)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Log density.

        Args:
            z: latents, any leading dimensions.

        Returns:
            Nats.
        """
        return -0.5 * (z.square().sum(-1) + self.dim * log(2 * pi))

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        r"""The way from one draw to another on which every point has the prior's distribution.

        .. math:: z_t = \cos(\tfrac\pi2 t) \, a + \sin(\tfrac\pi2 t) \, b \sim N(0, I)
            \quad \text{for independent } a, b \sim N(0, I)

        A straight line would pass through norms that the prior never draws.

        Reference: White 2016, section 2.1, https://arxiv.org/abs/1609.04468.

        Args:
            a: where it begins.
            b: where it ends.
            t: positions in [0, 1].
        """
        angle = t[:, None] * (pi / 2)
        return angle.cos() * a + angle.sin() * b

    def kl(self, posterior: Posterior) -> Float[Tensor, "n d"] | None:
        """Divergence of a diagonal normal by coordinate, see :func:`~ganvas.latents.kl.normal_kl`; else None."""
        normal = as_normal(posterior)
        return None if normal is None else normal_kl(normal.loc, normal.scale)


@final
@dataclass(frozen=True)
class Uniform:
    """Uniform on the cube of half-width ``bound``.

    Args:
        dim: dimension of the latent.
        bound: half-width; sqrt(3) gives unit variance.

    Raises:
        ValueError: a dimension below one, or a bound that is not positive.
    """

    dim: int
    bound: float
    everywhere: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_dim(self.dim)
        if not self.bound > 0:
            raise ValueError(f"argument `bound` is {self.bound}; expected > 0. Fix: set prior.bound.")

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents.

        Args:
            n: how many.
            device: where they are drawn.
            generator: on ``device``; without one the global one is used.

        Returns:
            ``float32`` in [-bound, bound).
        """
        unit = torch.rand(n, self.dim, device=device, generator=generator, dtype=torch.float32)
        return (2 * unit - 1) * self.bound

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Log density, minus infinity outside the cube.

        Args:
            z: latents, any leading dimensions.

        Returns:
            Nats.
        """
        inside = (z.abs() <= self.bound).all(-1)
        density = z.new_full(inside.shape, -self.dim * log(2 * self.bound))
        return density.masked_fill(~inside, -inf)

    @property
    def reach(self) -> float:
        """Half the width of the cube."""
        return self.bound

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """The straight line, which does not leave the cube.

        Args:
            a: where it begins.
            b: where it ends.
            t: positions in [0, 1].
        """
        return torch.lerp(a, b, t[:, None])

    def kl(self, posterior: Posterior) -> None:
        """None: a posterior that reaches beyond the cube is infinitely far from it."""
