r"""Partially importance weighted autoencoder: the decoder follows a tighter bound than the encoder.

.. math::
    L_\theta = -\mathbb{E} \log \frac{1}{M K} \sum_{m, i} w_{m,i}, \qquad
    L_\varphi = -\mathbb{E} \frac1M \sum_{m=1}^{M} \log \frac1K \sum_{i=1}^{K} w_{m,i}.

Decoder and prior :math:`\theta` learn from all draws together; the encoder :math:`\varphi` from M groups of K, which
makes its gradient less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms
from ganvas.objectives.bounds.groups import grouped_shares, require_groups
from ganvas.objectives.bounds.importance import iwae_bound
from ganvas.objectives.bounds.surrogate import surrogate, without_value
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class PIWAE(Bound):
    r"""The bound of :math:`M K` draws for the decoder, the mean of M bounds of K draws for the encoder.

    Reference:
        Rainforth et al. 2018, section 5, https://arxiv.org/abs/1802.04537

    Args:
        samples: :math:`M K`, draws of the latents for each image, at least 1.
        groups: :math:`M`, a divisor of ``samples``.

    Raises:
        ValueError: if ``samples`` is below 1, or ``groups`` does not divide it.
    """

    groups: int
    reads_posterior: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_groups(self.samples, self.groups)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; ``bound`` is the decoder's, and ``total`` has its negative value."""
        log_w = draws.log_w.detach()
        shares, of_encoder = log_w.softmax(dim=0), grouped_shares(log_w, self.groups)
        ascent = surrogate(draws.log_px_z + draws.log_pz, draws.z, of_networks=shares, of_draws=of_encoder)
        ascent = ascent - without_value((of_encoder * draws.log_qz_x).sum())
        bound = iwae_bound(log_w).mean()
        return bound_terms(draws, total=-bound - ascent / log_w.shape[1], bound=bound)
