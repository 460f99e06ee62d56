r"""The importance weighted bound: k draws, weighed against each other, bound the evidence more tightly than one.

.. math:: L = -\mathbb{E} \log \frac{1}{k} \sum_{i=1}^{k} \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}.

The gradient flows through all of :math:`\log w`, the encoder's density included: autograd then weighs each draw's
gradient by its normalised weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.bounds.base import Bound, BoundTerms, Draws, require_samples
from ganvas.objectives.bounds.importance import iwae_bound, log_weights


@final
@dataclass(frozen=True)
class IWAE(Bound):
    r"""Importance weighted autoencoder: :math:`-\log \frac1k \sum_i w_i`.

    Reference:
        Burda et al. 2016, eq. 8 (the bound) and 14 (its gradient), https://arxiv.org/abs/1509.00519

    Args:
        samples: k, at least 1.

    Raises:
        ValueError: if ``samples`` is below 1.
    """

    def __post_init__(self) -> None:
        require_samples(self.samples)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Return the objective; the divergence is read for the report only."""
        bound = iwae_bound(log_weights(draws.log_px_z, draws.log_pz, draws.log_qz_x)).mean()
        reconstruction, divergence = draws.log_px_z.mean(), draws.divergence.sum(dim=1).mean()
        return BoundTerms(-bound, reconstruction, kl=divergence, elbo=reconstruction - divergence, bound=bound)
