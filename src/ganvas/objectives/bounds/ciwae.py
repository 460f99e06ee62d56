r"""Combination importance weighted autoencoder: a mean of the ELBO and the importance weighted bound.

.. math:: L = -\mathbb{E} \Big[ \beta\, \frac1k \sum_{i=1}^{k} \log w_i
    + (1 - \beta) \log \frac1k \sum_{i=1}^{k} w_i \Big].

Both are computed from the same draws. The ELBO keeps a part of the encoder's gradient that more draws make less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.bounds.importance import iwae_bound
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class CIWAE(Bound):
    r"""Weighted mean of two bounds: :math:`-\beta\, \mathrm{ELBO} - (1 - \beta) \log \frac1k \sum_i w_i`.

    Reference:
        Rainforth et al. 2018, section 5, https://arxiv.org/abs/1802.04537

    Args:
        samples: k, draws of the latents for each image, at least 1.
        elbo_share: :math:`\beta`, in [0, 1]; 0 gives the IWAE.

    Raises:
        ValueError: if ``samples`` is below 1, or ``elbo_share`` is out of range.
    """

    elbo_share: float

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(0 <= self.elbo_share <= 1, "elbo_share", self.elbo_share, "a number in [0, 1]", "Use 0.05.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms."""
        log_w = draws.log_w
        bound = self.elbo_share * log_w.mean() + (1 - self.elbo_share) * iwae_bound(log_w).mean()
        return bound_terms(draws, total=-bound, bound=bound)
