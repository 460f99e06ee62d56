r"""Activity of a VAE's latents: a latent whose posterior mean is the same for all images carries no information.

.. math:: A_u = \operatorname{Var}_x \big( \mathbb{E}_{q(u \mid x)}[u] \big) > 0.01, \qquad
    \mathrm{KL}_u = \mathbb{E}_x \, \mathrm{KL} \big( q(u \mid x) \,\|\, N(0, 1) \big)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

ACTIVE_VARIANCE: Final = 0.01
"""Variance above which a unit is active; it lies between two groups of variances (Burda et al. 2016, section 5.3)."""


@final
@dataclass(frozen=True, eq=False)
class LatentActivity:
    """Variance and divergence of each latent over a data set.

    Args:
        variance: variance of the posterior mean over the images (divided by n), ``float64 (d,)``.
        kl: divergence of the posterior from N(0, 1), mean over the images, nats, ``float64 (d,)``.
        n: number of images.
    """

    variance: Float64[Tensor, " d"]
    kl: Float64[Tensor, " d"]
    n: int

    @property
    def active(self) -> Bool[Tensor, " d"]:
        """Whether each latent is active, ``(d,)``."""
        return self.variance > ACTIVE_VARIANCE

    @property
    def active_units(self) -> int:
        """Number of active latents."""
        return int(self.active.sum())


def latent_activity(
    posteriors: Iterable[tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]],
) -> LatentActivity:
    r"""Compute the activity of each latent from moments in float64; the result does not depend on the batch size.

    .. math:: \operatorname{Var}_x(\mu_u), \qquad
        \frac1n \sum_x \tfrac12 (\mu_u^2 + \sigma_u^2 - 1) - \log \sigma_u

    Reference: Burda et al. 2016, section 5.3, https://arxiv.org/abs/1509.00519; moments merged as in Chan et al. 1979.

    Args:
        posteriors: batches of means and standard deviations of the diagonal normal posterior, ``(b, d)`` each.

    Returns:
        Variance and divergence of each of the d latents.

    Raises:
        ValueError: fewer than two images.
    """
    n, mean, scatter, kl = 0, torch.zeros(()), torch.zeros(()), torch.zeros(())
    for loc, scale in posteriors:
        loc, scale = loc.detach().cpu().double(), scale.detach().cpu().double()
        total = n + len(loc)
        shift = loc.mean(0) - mean
        scatter = scatter + (loc - loc.mean(0)).square().sum(0) + shift.square() * n * len(loc) / max(total, 1)
        mean = mean + shift * len(loc) / max(total, 1)
        kl = kl + ((loc.square() + scale.square() - 1) / 2 - scale.log()).sum(0)
        n = total
    if n < 2:
        raise ValueError(f"posteriors: expected at least 2 images, got {n}; a variance over images needs more of them")
    return LatentActivity(scatter / n, kl / n, n)
