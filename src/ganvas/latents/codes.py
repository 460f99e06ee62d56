r"""A latent of noise and codes: normal coordinates, then one-hot vectors, then coordinates on [-1, 1].

.. math:: z = (\epsilon, c_1, \dots, c_m, u), \qquad \epsilon \sim N(0, I), \quad
    c_i \sim \text{uniform over } K_i \text{ unit vectors}, \quad u \sim U(-1, 1)^k.

The codes are what a generator of an InfoGAN is asked for, or what a VAE with categories encodes; the noise is the rest
of an example.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log, pi
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.gumbel import GumbelPosterior
from ganvas.types import Posterior


@final
@dataclass(frozen=True)
class Codes:
    r"""Noise, categorical codes and continuous codes, independent of each other.

    The density of the categorical codes is a probability, by counting.

    Reference: Chen et al. 2016, section 3, https://arxiv.org/abs/1606.03657

    Args:
        dim: number of all coordinates; those that the codes do not take are noise.
        categorical: :math:`K_i`, number of values of each categorical code, at least 2 each.
        continuous: :math:`k`, number of continuous codes, at least 0.

    Raises:
        ValueError: a number is out of range, there is no code, or ``dim`` is too small for the codes.
    """

    dim: int
    categorical: Sequence[int]
    continuous: int
    reach: ClassVar[float] = 3.0

    def __post_init__(self) -> None:
        codes = sum(self.categorical) + self.continuous
        if self.continuous < 0 or not codes or self.dim < codes or any(values < 2 for values in self.categorical):
            raise ValueError(
                f"prior: got dim={self.dim}, categorical={list(self.categorical)}, continuous={self.continuous}; "
                "expected at least 2 values for each categorical code, at least one code, and room for all in dim. "
                "Fix: set prior.dim, prior.categorical, prior.continuous."
            )

    @property
    def space(self) -> str:
        """Word for where the density is positive."""
        return "codes" if self.continuous == 0 else "codes and numbers"

    @property
    def one_hot(self) -> tuple[slice, ...]:
        """Coordinates of each categorical code."""
        ends = list(itertools.accumulate(self.categorical, initial=self.noise))
        return tuple(slice(*pair) for pair in itertools.pairwise(ends))

    @property
    def noise(self) -> int:
        """Number of coordinates that are noise."""
        return self.dim - sum(self.categorical) - self.continuous

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
        parts = [torch.randn(n, self.noise, device=device, generator=generator)]
        for values in self.categorical:
            chosen = torch.randint(values, (n,), device=device, generator=generator)
            parts.append(torch.nn.functional.one_hot(chosen, values).float())
        parts.append(2 * torch.rand(n, self.continuous, device=device, generator=generator) - 1)
        return torch.cat(parts, dim=1)

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats; minus infinity where a code has a value that is never drawn.

        Args:
            z: latents, with any leading dimensions.
        """
        noise, *codes, values = z.split([self.noise, *self.categorical, self.continuous], dim=-1)
        allowed = (values.abs() <= 1).all(-1)
        for code in codes:
            allowed = allowed & ((code == 0) | (code == 1)).all(-1) & (code.sum(-1) == 1)
        constant = 0.5 * self.noise * log(2 * pi) + sum(map(log, self.categorical)) + self.continuous * log(2)
        return (-0.5 * noise.square().sum(-1) - constant).masked_fill(~allowed, -inf)

    def kl(self, posterior: Posterior) -> Float[Tensor, "n g"] | None:
        """Compute the divergence of a posterior over the same codes, by coordinate of the noise and by code, nats.

        None for another posterior: one with a density has an infinite divergence from codes that are counted.
        """
        return posterior.kl_by_part() if isinstance(posterior, GumbelPosterior) else None

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate noise on the arc of a normal and continuous codes on a line; categorical codes jump half way.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        angle, last = t[:, None] * (pi / 2), self.dim - self.continuous
        noise = angle.cos() * a[: self.noise] + angle.sin() * b[: self.noise]
        codes = torch.where(t[:, None] < 0.5, a[self.noise : last], b[self.noise : last])
        return torch.cat([noise, codes, torch.lerp(a[last:], b[last:], t[:, None])], dim=1)
