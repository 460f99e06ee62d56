r"""A model whose evidence is known, to check importance weighting with any prior and any posterior.

.. math:: x \mid z \sim N(W z, \sigma^2 I), \qquad
    z \sim N(m, \mathrm{diag}\, s^2) \;\Rightarrow\; x \sim N(W m, W \mathrm{diag}(s^2) W^T + \sigma^2 I).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.distributions import LowRankMultivariateNormal, Normal

from ganvas.metrics.nll import importance_bound
from ganvas.types import Posterior

POINTS, DIMENSIONS, SIGMA = 64, 20, 0.5
DRAWS: Final = 5000
CHUNK: Final = 500


@runtime_checkable
class DensityOfLatents(Protocol):
    """What a bound asks of a distribution of latents."""

    def log_prob(self, z: Float64[Tensor, "*batch d"]) -> Float64[Tensor, "*batch"]:
        """Compute the log density of latents, nats."""
        ...


@final
class LinearGaussian:
    """A linear decoder with Gaussian noise, and points around its image.

    Args:
        latent: dimension of the latents.
        seed: seed of the weights and of the points.

    Attributes:
        w: weights, ``(DIMENSIONS, latent)``.
    """

    def __init__(self, latent: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self.w = torch.randn(DIMENSIONS, latent, generator=self._generator).double()

    def points(self, z: Float64[Tensor, "n d"]) -> Float64[Tensor, "n x"]:
        """Draw a point from each latent."""
        return z @ self.w.T + SIGMA * torch.randn(len(z), DIMENSIONS, generator=self._generator)

    def log_likelihood(self, x: Float64[Tensor, "n x"], z: Float64[Tensor, "*k n d"]) -> Float64[Tensor, "*k n"]:
        """Compute the log density of points given latents, nats."""
        return Normal(z @ self.w.T, SIGMA).log_prob(x).sum(-1)

    def posterior_moments(self, x: Float64[Tensor, "n x"]) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, " d"]]:
        """Compute means and standard deviations of the exact posterior under N(0, I)."""
        precision = torch.eye(self.w.shape[1]).double() + self.w.T @ self.w / SIGMA**2
        covariance = torch.linalg.inv(precision)
        return x @ self.w @ covariance / SIGMA**2, covariance.diagonal().sqrt()

    def evidence(
        self, x: Float64[Tensor, "n x"], mean: Float64[Tensor, " d"], deviation: Float64[Tensor, " d"]
    ) -> Float64[Tensor, " n"]:
        """Compute the log evidence of points under a normal prior with independent coordinates, nats."""
        noise = torch.full((DIMENSIONS,), SIGMA**2).double()
        return LowRankMultivariateNormal(self.w @ mean, self.w * deviation, noise).log_prob(x)

    def bound(
        self, x: Float64[Tensor, "n x"], prior: DensityOfLatents, encode: Callable[[Tensor], Posterior]
    ) -> Float64[Tensor, " n"]:
        """Compute the importance-weighted bound of points with :data:`DRAWS` draws, nats.

        Args:
            x: points.
            prior: distribution of the latents.
            encode: maps points to the posteriors that are drawn from.
        """

        def log_weights(points: Tensor, k: int) -> Tensor:
            posterior = encode(points)
            z = posterior.rsample((k,))
            return self.log_likelihood(points, z) + prior.log_prob(z) - posterior.log_prob(z)

        with torch.random.fork_rng():
            torch.manual_seed(0)
            return importance_bound(log_weights, [x], DRAWS, CHUNK)
