r"""The density ratio: the discriminator's logit is the log ratio of the densities, and its mean is a divergence.

.. math::
    L_D = -\mathbb{E}_x \log \sigma(D(x)) - \mathbb{E}_z \log\big(1 - \sigma(D(G(z)))\big), \qquad
    L_G = -\mathbb{E}_z D(G(z)).

At the optimal discriminator :math:`D = \log (p_\text{data} / p_G)`, so that
:math:`L_G = \mathrm{KL}(p_G \,\|\, p_\text{data})`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.adversarial.jensen_shannon import JensenShannonTerms, cross_entropy_terms
from ganvas.objectives.terms import GeneratorTerms
from ganvas.types import widen


@final
@dataclass(frozen=True)
class DensityRatio(Divergence):
    r"""Density-ratio GAN: :math:`L_G = -\mathbb{E}_z D(G(z))`, with the cross-entropy as the discriminator's loss.

    Reference:
        Kim and Mnih 2018, equation 3, https://arxiv.org/abs/1802.05983, for latents; Sønderby et al. 2017, section 3.2,
        https://arxiv.org/abs/1610.04490, for images
    """

    @property
    def chance(self) -> float:
        r""":math:`2 \log 2`, at the score 0."""
        return 2 * math.log(2)

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> JensenShannonTerms:
        """Return the cross-entropy, see :func:`~ganvas.objectives.adversarial.jensen_shannon.cross_entropy_terms`."""
        return cross_entropy_terms(real, fake)

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the negative mean logit, an estimate of the divergence in nats."""
        fake = widen(fake)
        return GeneratorTerms(-fake.mean(), fake.mean())
