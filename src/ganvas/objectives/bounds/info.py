r"""InfoVAE: the aggregate posterior is compared with the prior, beside the posterior of each image.

.. math:: L = -\mathbb{E} \log p(x \mid z) + (1 - \alpha)\, \mathbb{E}_x \mathrm{KL}(q(z \mid x) \,\|\, p(z))
    + (\alpha + \lambda - 1)\, \mathrm{MMD}^2(q(z), p(z)).

With :math:`\alpha = 1` only the aggregate posterior is compared, and a latent may tell as much of its image as it can
(the MMD-VAE); with :math:`\alpha = 0, \lambda = 1` it is the ELBO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.latents.kernels import Kernel, mmd
from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class InfoVAE(Bound):
    r"""ELBO with a weight :math:`1 - \alpha` on the KL and :math:`\alpha + \lambda - 1` on the discrepancy.

    The terms hold the ELBO, which is a bound, whatever the weights.

    Reference:
        Zhao et al. 2017, section 3, https://arxiv.org/abs/1706.02262

    Args:
        samples: k, draws of the latents for each image, at least 1.
        alpha: :math:`\alpha`, at most 1.
        scaling: :math:`\lambda`, at least :math:`1 - \alpha`.
        kernel: kernel of the discrepancy.

    Raises:
        ValueError: if ``samples`` is below 1, or a weight of the loss would be negative.
    """

    alpha: float
    scaling: float
    kernel: Kernel
    compares_with_prior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(self.alpha <= 1, "alpha", self.alpha, "a number of at most 1", "Use 1 for the MMD-VAE, 0 for the KL.")
        enough = self.scaling >= 1 - self.alpha
        require(enough, "scaling", self.scaling, f"at least 1 - alpha = {1 - self.alpha:g}", "Use 1000.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms."""
        discrepancy = mmd(draws.z.flatten(0, 1), draws.of_prior(), self.kernel)
        divergence = draws.divergence.sum(dim=1).mean()
        weighted = (1 - self.alpha) * divergence + (self.alpha + self.scaling - 1) * discrepancy
        return bound_terms(draws, total=weighted - draws.log_px_z.mean(), penalties={"mmd": discrepancy})
