r"""The base of objectives that reconstruct examples and shape the latents, without a bound on the evidence.

.. math:: L = -\mathbb{E} \log p(x \mid z) + \lambda\, \mathcal{D}.

:math:`\mathcal{D}` compares the aggregate posterior with the prior, or keeps latents and decoder regular. The terms
hold no ELBO, and a model with such an objective has neither ``elbo`` nor ``nll``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.bounds.base import require_samples
from ganvas.objectives.draws import Draws, FromDraws
from ganvas.objectives.terms import Terms
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True, eq=False)
class AutoencodingTerms(Terms):
    """The loss and its parts: sums over pixels and means over images.

    Args:
        total: scalar to minimise.
        reconstruction: log-likelihood of the images given their latents, nats; higher is better.
        penalties: further terms by name, without their weights.
    """

    reconstruction: Float[Tensor, ""]
    penalties: Mapping[str, Float[Tensor, ""]]


@dataclass(frozen=True)
class Autoencoding(FromDraws):
    """Abstract: an objective that bounds no evidence.

    Args:
        samples: k, the number of latents for each image in training, at least 1; 1 for a deterministic encoder.

    Raises:
        ValueError: ``samples`` is out of range.
    """

    bounds_evidence: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_samples(self.samples)
        single = self.samples == 1 or not self.deterministic
        require(single, "samples", self.samples, "1, because the encoder is deterministic", "Use 1.")

    @abstractmethod
    def __call__(self, draws: Draws) -> AutoencodingTerms:
        """Compute the terms of a batch of n images with k draws each, as means over the batch."""
