r"""The truncated normal prior, from which samples of higher quality and less variety are drawn after a training.

Each coordinate of a standard normal that lies beyond the threshold :math:`b` is drawn again until it lies within:

.. math:: \log p(z) = \log N(z; 0, I) - d \log P(|Z| \le b), \qquad P(|Z| \le b) = \operatorname{erf}(b / \sqrt 2).

Reference: Brock et al. 2018, section 3.1, https://arxiv.org/abs/1809.11096.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, inf, log, sqrt
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.priors import Normal, check_dim
from ganvas.types import LatentDistribution, Posterior, Prior, Truncates


@final
@dataclass(frozen=True)
class TruncatedNormal:
    """Independent standard normal coordinates, each within ``[-bound, bound]``.

    Args:
        dim: dimension of the latent, at least 1.
        bound: threshold, positive.

    Raises:
        ValueError: ``dim`` is below 1, or ``bound`` is not positive.
    """

    dim: int
    bound: float
    space: ClassVar[str] = "cube"

    def __post_init__(self) -> None:
        check_dim(self.dim)
        if not self.bound > 0:
            raise ValueError(f"argument `bound` is {self.bound}; expected > 0. Fix: write truncation=0.7.")

    def sample(
        self, n: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None
    ) -> Float[Tensor, "n d"]:
        """Draw ``n`` latents: those of :class:`~ganvas.latents.Normal`, with new values beyond the threshold.

        The new values are drawn from the truncated distribution itself, by its inverse distribution function. Drawing
        from the normal until a value lies within has the same distribution, but takes long if the threshold is small.

        Args:
            n: number of latents.
            device: device of the latents.
            generator: random generator on ``device``; None uses the global one.

        Returns:
            ``float32`` in [-bound, bound].
        """
        z = Normal(self.dim).sample(n, device=device, generator=generator)
        unit = 2 * torch.rand(n, self.dim, device=device, generator=generator, dtype=torch.float64) - 1
        within = sqrt(2) * torch.erfinv(unit * erf(self.bound / sqrt(2)))
        return torch.where(z.abs() <= self.bound, z, within.clamp(-self.bound, self.bound).to(z))

    def log_prob(self, z: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Compute the log density, nats; minus infinity beyond the threshold.

        Args:
            z: latents, with any leading dimensions.
        """
        density = Normal(self.dim).log_prob(z) - self.dim * log(erf(self.bound / sqrt(2)))
        return density.masked_fill((z.abs() > self.bound).any(-1), -inf)

    @property
    def reach(self) -> float:
        """The threshold, but not more than that of the normal prior."""
        return min(self.bound, Normal.reach)

    def between(self, a: Float[Tensor, " d"], b: Float[Tensor, " d"], t: Float[Tensor, " k"]) -> Float[Tensor, "k d"]:
        """Interpolate as the normal prior does, clipped to the threshold.

        Args:
            a: latent at t = 0.
            b: latent at t = 1.
            t: positions in [0, 1].
        """
        return Normal(self.dim).between(a, b, t).clamp(-self.bound, self.bound)

    def kl(self, posterior: Posterior) -> None:
        """Return None: a posterior with density beyond the threshold has an infinite divergence."""


def truncated(prior: LatentDistribution, bound: float) -> Prior:
    """Truncate a prior.

    Args:
        prior: a prior with tails.
        bound: threshold, positive.

    Raises:
        ValueError: the prior is another one.
    """
    if not isinstance(prior, Truncates):
        raise ValueError(
            f"truncation={bound}: expected a standard normal prior, got {type(prior).__name__}, whose values have no "
            "tails to draw again; leave truncation out"
        )
    return prior.truncated(bound)
