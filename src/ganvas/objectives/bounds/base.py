r"""The base of objectives that bound the log evidence from below, computed from draws of the latents.

.. math::
    \log p(x) \ge \mathrm{ELBO}(x) = \mathbb{E}_{q(z \mid x)} \log p(x \mid z) - \mathrm{KL}(q(z \mid x) \,\|\, p(z)).

The loss may differ from the negative ELBO (a weighted KL, free bits, several draws). The term ``elbo`` is always the
ELBO above, so that models with different losses can be compared.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.draws import Draws, FromDraws
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
        penalties: further terms by name, without their weights.
    """

    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    elbo: Float[Tensor, ""]
    bound: Float[Tensor, ""]
    penalties: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound(FromDraws):
    """Abstract: an objective whose terms hold a lower bound on the log evidence.

    Args:
        samples: k, the number of draws for each image in training, at least 1.
    """

    bounds_evidence: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms of a batch of n images with k draws each, as means over the batch."""


def bound_terms(
    draws: Draws,
    total: Float[Tensor, ""],
    bound: Float[Tensor, ""] | None = None,
    penalties: Mapping[str, Float[Tensor, ""]] | None = None,
) -> BoundTerms:
    """Put the terms together for an objective that does not descend the ELBO alone.

    Args:
        draws: the draws that it was computed from.
        total: scalar to minimise.
        bound: lower bound on the log evidence; None if it is the ELBO.
        penalties: further terms by name; None without any.
    """
    reconstruction, divergence = draws.log_px_z.mean(), draws.divergence.sum(dim=1).mean()
    elbo = reconstruction - divergence
    return BoundTerms(total, reconstruction, divergence, elbo, elbo if bound is None else bound, penalties or {})


def require_samples(samples: int) -> None:
    """Check the number of draws k.

    Raises:
        ValueError: ``samples`` is below 1.
    """
    require(samples >= 1, "samples", samples, "an integer of at least 1", "Use 1 for an ELBO, 5 or 50 for IWAE.")
