r"""Multiply importance weighted autoencoder: the mean of M bounds of K draws each.

.. math:: L = -\mathbb{E} \frac1M \sum_{m=1}^{M} \log \frac1K \sum_{i=1}^{K} w_{m,i}.

More draws in a group make the bound tighter, more groups make the encoder's gradient less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms
from ganvas.objectives.bounds.groups import grouped_bound, require_groups
from ganvas.objectives.draws import Draws


@final
@dataclass(frozen=True)
class MIWAE(Bound):
    r"""Mean of importance weighted bounds: :math:`-\frac1M \sum_m \log \frac1K \sum_i w_{m,i}`.

    Reference:
        Rainforth et al. 2018, section 5, https://arxiv.org/abs/1802.04537

    Args:
        samples: :math:`M K`, draws of the latents for each image, at least 1.
        groups: :math:`M`, a divisor of ``samples``.

    Raises:
        ValueError: if ``samples`` is below 1, or ``groups`` does not divide it.
    """

    groups: int

    def __post_init__(self) -> None:
        require_groups(self.samples, self.groups)

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms."""
        bound = grouped_bound(draws.log_w, self.groups)
        return bound_terms(draws, total=-bound, bound=bound)
