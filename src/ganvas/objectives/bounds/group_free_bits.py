r"""Free bits for groups of latents: the evidence lower bound, with a floor for the KL of each group.

.. math::
    L = -\frac{1}{k} \sum_i \log p(x \mid z_i)
        + \beta \sum_g \max\big(\lambda,\; \mathbb{E}_\text{batch}\, \mathrm{KL}_g\big).

A group pays nothing for its first nats, so that it is used before the groups below it learn to do without it. Latents
without groups are one group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.bounds.base import Bound, BoundTerms, bound_terms, require_samples
from ganvas.objectives.draws import Draws
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class GroupFreeBits(Bound):
    r"""(Beta-)ELBO: :math:`-E_q \log p(x \mid z) + \beta \sum_g \max(\lambda, \mathrm{KL}_g)`.

    Reference:
        Kingma et al. 2016, eq. 15, https://arxiv.org/abs/1606.04934

    Args:
        samples: k, draws of the latents for each image, at least 1.
        beta: :math:`\beta`, weight of the KL in the loss, at least 0.
        free_bits: :math:`\lambda`, nats of KL (mean over the batch) that cost a group nothing; 0 is no floor, because
            the estimate of a small divergence may be negative.

    Raises:
        ValueError: if ``samples`` is below 1, ``beta`` or ``free_bits`` below 0.
    """

    beta: float
    free_bits: float

    def __post_init__(self) -> None:
        require_samples(self.samples)
        require(self.beta >= 0, "beta", self.beta, "a number of at least 0", "Use 1 for the ELBO.")
        require(self.free_bits >= 0, "free_bits", self.free_bits, "nats, at least 0", "Use 0.5.")

    def __call__(self, draws: Draws) -> BoundTerms:
        """Compute the terms; ELBO and KL are without the floor."""
        kl = draws.divergence.mean(dim=0)
        by_group = torch.stack([group.sum() for group in kl.split(draws.groups or len(kl))])
        return bound_terms(draws, total=self.beta * self._floored(by_group).sum() - draws.log_px_z.mean())

    def _floored(self, kl: Float[Tensor, " g"]) -> Float[Tensor, " g"]:
        return kl.clamp(min=self.free_bits) if self.free_bits > 0 else kl
