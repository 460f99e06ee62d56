r"""Disentangled inferred prior: the covariance of the aggregate posterior is drawn to the identity.

.. math:: L = -\mathrm{ELBO} + \lambda_{od} \sum_{i \ne j} \Sigma_{ij}^2 + \lambda_d \sum_i (\Sigma_{ii} - 1)^2,

with the covariance over images of the posterior's means, or of the aggregate posterior itself:

.. math:: \Sigma_\mathrm{I} = \mathrm{Cov}_x\, \mu(x), \qquad
    \Sigma_\mathrm{II} = \mathrm{Cov}_x\, \mu(x) + \mathbb{E}_x\, \mathrm{diag}\, \sigma^2(x).

Both are estimated from the batch.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.latents.posteriors import require_normal
from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require
from ganvas.types import Posterior, widen


@dataclass(frozen=True)
class DIP(Bound):
    r"""Abstract: the ELBO with a penalty on a covariance.

    Args:
        samples: k, draws of the latents for each image, at least 1.
        off_diagonal: :math:`\lambda_{od}`, at least 0.
        diagonal: :math:`\lambda_d`, at least 0.

    Raises:
        ValueError: if ``samples`` is below 1, or a weight is below 0.
    """

    off_diagonal: float
    diagonal: float
    reads_posterior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)
        for name in ("off_diagonal", "diagonal"):
            value = getattr(self, name)
            require(value >= 0, name, value, "a number of at least 0", "Use 10.")

    @abstractmethod
    def covariance(self, posterior: Posterior) -> Float[Tensor, "d d"]:
        """Compute the covariance that is drawn to the identity."""

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; the penalties are logged without their weights."""
        covariance = self.covariance(draws.posterior)
        variance = covariance.diagonal()
        off, on = covariance.square().sum() - variance.square().sum(), (variance - 1).square().sum()
        loss = draws.divergence.sum(dim=1).mean() - draws.log_px_z.mean()
        total = loss + self.off_diagonal * off + self.diagonal * on
        return bound_terms(draws, total=total, penalties={"off_diagonal": off, "diagonal": on})


@final
@dataclass(frozen=True)
class DIPI(DIP):
    r"""DIP-VAE-I: the covariance of the posterior's means.

    Reference:
        Kumar et al. 2018, eq. 6, https://arxiv.org/abs/1711.00848

    Args:
        samples: k, draws of the latents for each image, at least 1.
        off_diagonal: :math:`\lambda_{od}`, at least 0.
        diagonal: :math:`\lambda_d`, at least 0.
    """

    def covariance(self, posterior: Posterior) -> Float[Tensor, "d d"]:
        """Compute the covariance of the means."""
        return _covariance(posterior.mean)


@final
@dataclass(frozen=True)
class DIPII(DIP):
    r"""DIP-VAE-II: the covariance of the aggregate posterior.

    Reference:
        Kumar et al. 2018, eq. 7, https://arxiv.org/abs/1711.00848

    Args:
        samples: k, draws of the latents for each image, at least 1.
        off_diagonal: :math:`\lambda_{od}`, at least 0.
        diagonal: :math:`\lambda_d`, at least 0.
    """

    def covariance(self, posterior: Posterior) -> Float[Tensor, "d d"]:
        """Compute the covariance of the means plus the mean variance.

        Raises:
            ValueError: the posterior is not a diagonal normal.
        """
        normal = require_normal(posterior, "DIP-VAE-II adds its variances")
        return _covariance(normal.loc) + torch.diag(widen(normal.scale).square().mean(dim=0))


def _covariance(mean: Float[Tensor, "n d"]) -> Float[Tensor, "d d"]:
    """Compute the covariance over the images, divided by n."""
    centred = widen(mean) - widen(mean).mean(dim=0)
    return centred.T @ centred / len(centred)
