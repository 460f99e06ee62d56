r"""Beta-TC-VAE: the KL of the ELBO in three parts, each with a weight of its own.

.. math:: L = -\mathbb{E} \log p(x \mid z) + \alpha\, I(z; x)
    + \beta\, \mathrm{KL}\big(q(z) \,\|\, \textstyle\prod_j q(z_j)\big)
    + \gamma \sum_j \mathrm{KL}(q(z_j) \,\|\, p(z_j)).

A larger :math:`\beta` makes the coordinates of the aggregate posterior independent without a price on the information
that they carry. The parts are estimated from the batch, see :mod:`ganvas.latents.aggregate`; their sum is an unbiased
estimate of the KL, whatever the estimate of :math:`q(z)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.latents.aggregate import BatchWeights, aggregate_log_densities
from ganvas.latents.posteriors import require_normal
from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class BetaTC(Bound):
    r"""ELBO with weights on mutual information, total correlation and dimension-wise KL.

    Reference:
        Chen et al. 2018, eq. 4, https://arxiv.org/abs/1802.04942

    Args:
        samples: k, draws of the latents for each image, at least 1.
        alpha: :math:`\alpha`, weight of the mutual information, at least 0.
        beta: :math:`\beta`, weight of the total correlation, at least 0.
        gamma: :math:`\gamma`, weight of the dimension-wise KL, at least 0.
        weights: how the batch stands for the training set.

    Raises:
        ValueError: if ``samples`` is below 1, or a weight is below 0.
    """

    alpha: float
    beta: float
    gamma: float
    weights: BatchWeights
    reads_posterior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_samples(self.samples)
        for name in ("alpha", "beta", "gamma"):
            value = getattr(self, name)
            require(value >= 0, name, value, "a number of at least 0", "Use 1, and 6 for beta.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; a closed form of the KL is logged and does not enter the loss.

        Raises:
            ValueError: the posterior is not a diagonal normal.
        """
        normal = require_normal(draws.posterior, "the total correlation needs the density of each coordinate")
        n = draws.z.shape[1]
        n_train = max(n, draws.n_train)  # a model that was loaded does not know its training set
        weights = self.weights(n, n_train, draws.z.device)
        log_qz, log_marginals = aggregate_log_densities(draws.z, normal, weights)
        information = (draws.log_qz_x - log_qz).mean()
        correlation = (log_qz - log_marginals).mean()
        by_dimension = (log_marginals - draws.log_pz).mean()
        weighted = self.alpha * information + self.beta * correlation + self.gamma * by_dimension
        parts = {
            "mutual_information": information,
            "total_correlation": correlation,
            "dimension_wise_kl": by_dimension,
        }
        return bound_terms(draws, total=weighted - draws.log_px_z.mean(), penalties=parts)
