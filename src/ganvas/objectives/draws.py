r"""Draws of the latents of some images, with their log densities: the inputs of a VAE's objective.

.. math:: z_i \sim q(z \mid x), \qquad \log p(x \mid z_i), \; \log p(z_i), \; \log q(z_i \mid x), \qquad i = 1 \dots k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.latents.kl import estimated_kl
from ganvas.types import Posterior


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Inputs of a bound: k draws of the latents for each of n images, with their log densities.

    Args:
        log_px_z: log-likelihood of the images given the draws, summed over pixels, nats.
        log_pz: log density of the draws under the prior, nats.
        log_qz_x: log density of the draws under the posterior, nats.
        kl: divergence of the posterior from the prior by coordinate, in closed form, nats; None if none is known.
        z: the draws, ``(k, n, d)``.
        posterior: the encoder's output, with ``rsample``, ``log_prob`` and ``mean``.
        n_train: number of training images, for bounds that estimate a quantity of the whole data set from a batch.
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
        """Divergence of the posterior from the prior, nats.

        The closed form has a column for each coordinate. Otherwise there is one column, an unbiased estimate from the
        draws for all coordinates together, which may be negative.
        """
        return self.kl if self.kl is not None else estimated_kl(self.log_qz_x, self.log_pz)
