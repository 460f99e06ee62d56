r"""The importance weighted bound, which is tighter for more draws k.

.. math:: L = -\mathbb{E} \log \frac{1}{k} \sum_{i=1}^{k} \frac{p(x \mid z_i)\, p(z_i)}{q(z_i \mid x)}.

The gradient flows through all parts of :math:`\log w`, including the posterior's density. Each draw's gradient is then
weighted by its normalised importance weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.bounds.importance import iwae_bound
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class IWAE(Bound):
    r"""Importance weighted autoencoder: :math:`-\log \frac1k \sum_i w_i`.

    Reference:
        Burda et al. 2016, eq. 8 (the bound) and 14 (its gradient), https://arxiv.org/abs/1509.00519

    Args:
        samples: k, draws of the latents for each image, at least 1.

    Raises:
        ValueError: if ``samples`` is below 1.
    """

    def __post_init__(self) -> None:
        require_samples(self.samples)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; the KL divergence is logged and does not enter the loss."""
        bound = iwae_bound(draws.log_w).mean()
        return bound_terms(draws, total=-bound, bound=bound)
