r"""Lower bounds on the evidence, from draws of the latents and their densities.

.. math::
    \log p(x) \ge \mathrm{ELBO}(x) = \mathbb{E}_{q(z \mid x)} \log p(x \mid z) - \mathrm{KL}(q(z \mid x) \,\|\, p(z)).

What a model descends may be something else (another weight of the KL, free bits, more samples); what it reports as
``elbo`` is always this, so that models are compared by one number.
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
    """An objective on the evidence with its parts: means over images of sums over pixels, in nats.

    Args:
        total: scalar to minimise.
        reconstruction: expected log-likelihood under the encoder; higher is better.
        kl: divergence of the encoder from the prior, summed over latent coordinates, neither weighted nor floored.
        elbo: ``reconstruction - kl``, whatever ``total`` weighs.
        bound: the lower bound on the evidence this objective stands for: the ELBO, or the tighter k-sample one.
    """

    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    elbo: Float[Tensor, ""]
    bound: Float[Tensor, ""]


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Everything that a bound may read of k draws of the latents for each of n images.

    Args:
        log_px_z: log-likelihood of the images given the draws, summed over pixels, nats.
        log_pz: log density of the draws under the prior, nats.
        log_qz_x: log density of the draws under the posterior, nats.
        kl: divergence of the posterior from the prior by coordinate, in closed form, nats; None where none is known.
        z: the draws.
        posterior: what the encoder returned, with ``rsample``, ``log_prob`` and ``mean``.
        n_train: images in the training split, for bounds that weigh a batch against the whole of it.
    """

    log_px_z: Float[Tensor, "k n"]
    log_pz: Float[Tensor, "k n"]
    log_qz_x: Float[Tensor, "k n"]
    kl: Float[Tensor, "n d"] | None
    z: Float[Tensor, "k n d"]
    posterior: Posterior
    n_train: int

    @property
    def divergence(self) -> Float[Tensor, "n g"]:
        """Divergence of the posterior from the prior, nats: a column for each coordinate in closed form, else one.

        The one column is the estimate from the draws, which has no bias but may be negative.
        """
        return self.kl if self.kl is not None else estimated_kl(self.log_qz_x, self.log_pz)


@dataclass(frozen=True)
class Bound(ABC):
    """Abstract: log densities of k draws of the latents to an objective.

    Args:
        samples: k, how many latents the model draws for each image in training, at least 1.
    """

    samples: int

    @abstractmethod
    def __call__(self, draws: Draws) -> BoundTerms:
        """Return the objective of a batch of n images with k draws each, as means over the batch.

        Args:
            draws: of the model's latents.
        """


def require_samples(samples: int) -> None:
    """Refuse a number of draws below one.

    Args:
        samples: k.

    Raises:
        ValueError: if it is below 1.
    """
    require(samples >= 1, "samples", samples, "an integer of at least 1", "Use 1 for an ELBO, 5 or 50 for IWAE.")
