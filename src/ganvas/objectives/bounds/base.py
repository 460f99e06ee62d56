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

from ganvas.objectives.draws import Draws
from ganvas.objectives.terms import Terms
from ganvas.objectives.validation import require


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
