r"""Activity of a VAE's latents: a latent whose posterior mean is the same for all images carries no information.

.. math:: A_u = \operatorname{Var}_x \big( \mathbb{E}_{q(u \mid x)}[u] \big) > 0.01 \operatorname{Var}_p(u), \qquad
    \mathrm{KL}_u = \mathbb{E}_x \, \mathrm{KL} \big( N(\mu_u, \sigma_u^2) \,\|\, p(u) \big)

The prior N(0, I) has variance 1. On the sphere in m coordinates each has variance 1 / m, and under a learned prior any.
So the limit is in units of the prior's variance. The divergence is that of normals with the posterior's moments. It is
that of the posterior itself if this is a normal with independent coordinates. Without a closed form there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.distributions import Independent, Normal

from ganvas.types import Prior, Scaled

ACTIVE_VARIANCE: Final = 0.01
"""Variance above which a unit is active; it lies between two groups of variances (Burda et al. 2016, section 5.3)."""
PRIOR_DRAWS: Final = 10_000
"""Number of draws that tell the variance of a prior that does not state it; the relative error is about 1.4%."""


@final
@dataclass(frozen=True, eq=False)
class LatentActivity:
    """Variance and divergence of each latent over a data set.

    Args:
        variance: variance of the posterior mean over the images (divided by n), ``float64 (d,)``.
        kl: divergence from the prior of a normal with the posterior's moments, mean over the images, nats, ``float64
            (d,)``; None if the prior has no closed form.
        n: number of images.
        limit: variance above which a latent is active.
        groups: numbers of latents of the groups of a hierarchy, the top group first; None without groups.
    """

    variance: Float64[Tensor, " d"]
    kl: Float64[Tensor, " d"] | None
    n: int
    limit: Float64[Tensor, " d"]
    groups: tuple[int, ...] | None = None

    @property
    def active(self) -> Bool[Tensor, " d"]:
        """Whether each latent is active, ``(d,)``."""
        return self.variance > self.limit

    @property
    def active_units(self) -> int:
        """Number of active latents."""
        return int(self.active.sum())

    @property
    def active_by_group(self) -> tuple[int, ...]:
        """Number of active latents of each group, the top group first; of all latents where there are no groups."""
        return tuple(int(group.sum()) for group in self.active.split(self.groups or len(self.active)))


def latent_activity(
    posteriors: Iterable[tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]],
    prior: Prior,
    groups: tuple[int, ...] | None = None,
) -> LatentActivity:
    r"""Compute the activity of each latent from moments in float64; the result does not depend on the batch size.

    .. math:: \operatorname{Var}_x(\mu_u), \qquad
        \frac1n \sum_x \tfrac12 (\mu_u^2 + \sigma_u^2 - 1) - \log \sigma_u

    Reference: Burda et al. 2016, section 5.3, https://arxiv.org/abs/1509.00519; moments merged as in Chan et al. 1979.

    Args:
        posteriors: batches of means and standard deviations of the posterior, ``(b, d)`` each.
        prior: distribution of the latents.
        groups: numbers of latents of the groups of a hierarchy, the top group first; None without groups.

    Returns:
        Variance and divergence of each of the d latents.

    Raises:
        ValueError: fewer than two images.
    """
    n, mean, scatter = 0, torch.zeros(()), torch.zeros(())
    kl: Tensor | None = torch.zeros(())
    for loc, scale in posteriors:
        loc, scale = loc.detach().cpu().double(), scale.detach().cpu().double()
        total = n + len(loc)
        shift = loc.mean(0) - mean
        scatter = scatter + (loc - loc.mean(0)).square().sum(0) + shift.square() * n * len(loc) / max(total, 1)
        mean = mean + shift * len(loc) / max(total, 1)
        parts = prior.kl(Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False))
        kl = None if kl is None or parts is None else kl + parts.sum(0)
        n = total
    if n < 2:
        raise ValueError(f"posteriors: expected at least 2 images, got {n}; a variance over images needs more of them")
    return LatentActivity(scatter / n, None if kl is None else kl / n, n, ACTIVE_VARIANCE * _variance(prior), groups)


def _variance(prior: Prior) -> Float64[Tensor, " d"]:
    """Compute the variance of each coordinate under the prior, from draws if the prior does not state it."""
    if isinstance(prior, Scaled):
        return torch.full((prior.dim,), prior.variance, dtype=torch.float64)
    return prior.sample(PRIOR_DRAWS, generator=torch.Generator().manual_seed(0)).double().var(0)
