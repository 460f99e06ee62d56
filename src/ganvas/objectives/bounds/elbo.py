r"""The evidence lower bound, with a weight and a floor for its KL.

.. math::
    L = -\frac{1}{k} \sum_i \log p(x \mid z_i)
        + \beta \sum_j \max\big(\lambda,\; \mathbb{E}_\text{batch}\, \mathrm{KL}(q(z_j \mid x) \,\|\, p(z_j))\big).

With :math:`\beta = 1` and :math:`\lambda = 0` it is the negative ELBO. Another :math:`\beta` gives the beta-VAE, and a
positive :math:`\lambda` gives free bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.bounds.base import Bound, BoundTerms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class ELBO(Bound):
    r"""(Beta-)ELBO: :math:`-E_q \log p(x \mid z) + \beta \sum_j \max(\lambda, \mathrm{KL}_j)`.

    Reference:
        Kingma and Welling 2014, eq. 10, https://arxiv.org/abs/1312.6114; beta: Higgins et al. 2017, eq. 4,
        https://openreview.net/forum?id=Sy2fzU9gl; free bits: Kingma et al. 2016, eq. 15, https://arxiv.org/abs/1606.04934

    Args:
        samples: :math:`k`, draws of the latents for each image, at least 1.
        beta: :math:`\beta`, weight of the KL in the loss, at least 0.
        free_bits: :math:`\lambda`, nats of KL (mean over the batch) that cost a latent coordinate nothing; 0 for none.

    Raises:
        ValueError: if ``samples`` is below 1, ``beta`` or ``free_bits`` below 0.
    """

    beta: float
    free_bits: float

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(self.beta >= 0, "beta", self.beta, "a number of at least 0", "Use 1 for the ELBO.")
        require(self.free_bits >= 0, "free_bits", self.free_bits, "nats, at least 0", "Use 0 for none.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; if the KL has a closed form, ``log_pz`` and ``log_qz_x`` are not used."""
        reconstruction, kl = draws.log_px_z.mean(), draws.divergence.mean(dim=0)
        total = self.beta * self._floored(kl, draws).sum() - reconstruction
        elbo = reconstruction - kl.sum()
        return BoundTerms(total, reconstruction, kl=kl.sum(), elbo=elbo, bound=elbo)

    def _floored(self, kl: Float[Tensor, " g"], draws: Draws) -> Float[Tensor, " g"]:
        if (draws.kl is None or draws.groups is not None) and self.free_bits == 0:
            return kl  # The estimate of a small divergence may be negative; a floor at 0 would bias it.
        # An estimate is one number for all coordinates, so its floor is the sum of their free nats.
        return kl.clamp(min=self.free_bits * (draws.z.shape[-1] // len(kl)))
