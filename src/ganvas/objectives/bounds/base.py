r"""The base of objectives that bound the log evidence from below, computed from draws of the latents.

.. math::
    \log p(x) \ge \mathrm{ELBO}(x) = \mathbb{E}_{q(z \mid x)} \log p(x \mid z) - \mathrm{KL}(q(z \mid x) \,\|\, p(z)).

The loss may differ from the negative ELBO (a weighted KL, free bits, several draws). The term ``elbo`` is always the
ELBO above, so that models with different losses can be compared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.latents.kl import estimated_kl
from ganvas.objectives.terms import Terms
from ganvas.objectives.validation import require
from ganvas.types import Posterior


@final
@dataclass(frozen=True, eq=False)
class BoundTerms(Terms):
    """The loss with the parts of the ELBO: sums over pixels and means over images, in nats.

    Args:
        total: scalar to minimise.
        reconstruction: expected log-likelihood under the encoder; higher is better.
        kl: divergence of the posterior from the prior, summed over latent coordinates, without ``beta`` or free bits.
        elbo: ``reconstruction - kl``.
        bound: lower bound on the log evidence: the ELBO, or the tighter k-sample bound.
    """

    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    elbo: Float[Tensor, ""]
    bound: Float[Tensor, ""]


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Inputs of a bound: k draws of the latents for each of n images, with their log densities.

    Args:
        log_px_z: log-likelihood of the images given the draws, summed over pixels, nats.
        log_pz: log density of the draws under the prior, nats.
        log_qz_x: log density of the draws under the posterior, nats.
        kl: divergence of the posterior from the prior in closed form, nats, by coordinate, or in one column where only
            the sum is known; None if none is known.
        z: the draws, ``(k, n, d)``.
        posterior: the encoder's output, with ``rsample``, ``log_prob`` and ``mean``.
        n_train: number of training images, for bounds that estimate a quantity of the whole data set from a batch.
    """

    log_px_z: Float[Tensor, "k n"]
    log_pz: Float[Tensor, "k n"]
    log_qz_x: Float[Tensor, "k n"]
    kl: Float[Tensor, "n g"] | None
    z: Float[Tensor, "k n d"]
    posterior: Posterior
    n_train: int

    @property
    def divergence(self) -> Float[Tensor, "n g"]:
        """Divergence of the posterior from the prior, nats.

        The closed form has a column for each coordinate, or one for all. Otherwise there is one column, an unbiased
        estimate from the draws for all coordinates together, which may be negative.
        """
        return self.kl if self.kl is not None else estimated_kl(self.log_qz_x, self.log_pz)


@dataclass(frozen=True)
class Bound(ABC):
    """Abstract: an objective computed from k draws of the latents of each image.

    Args:
        samples: k, the number of draws for each image in training, at least 1.
    """

    samples: int

    @abstractmethod
    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms of a batch of n images with k draws each, as means over the batch."""


def require_samples(samples: int) -> None:
    """Check the number of draws k.

    Raises:
        ValueError: ``samples`` is below 1.
    """
    require(samples >= 1, "samples", samples, "an integer of at least 1", "Use 1 for an ELBO, 5 or 50 for IWAE.")
