r"""The usual loss of GANs: the generator maximises the log-probability that its examples are classified as real.

.. math::
    L_D = -\mathbb{E}_x \log \sigma(D(x)) - \mathbb{E}_z \log\big(1 - \sigma(D(G(z)))\big), \qquad
    L_G = -\mathbb{E}_z \log \sigma(D(G(z))) = \mathbb{E}_z\, \mathrm{softplus}(-D(G(z))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.adversarial.jensen_shannon import JensenShannonTerms, cross_entropy_terms
from ganvas.objectives.terms import GeneratorTerms
from ganvas.types import widen


@final
@dataclass(frozen=True)
class NonSaturating(Divergence):
    r"""Non-saturating GAN: :math:`L_G = -\mathbb{E}_z \log \sigma(D(G(z)))`.

    Reference:
        Goodfellow et al. 2014, section 3 below eq. 1, https://arxiv.org/abs/1406.2661
    """

    @property
    def chance(self) -> float:
        r""":math:`2 \log 2`, at the score 0."""
        return 2 * math.log(2)

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> JensenShannonTerms:
        """Return the cross-entropy, see :func:`~ganvas.objectives.adversarial.jensen_shannon.cross_entropy_terms`."""
        return cross_entropy_terms(real, fake)

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the negative mean log-probability of being classified as real, in nats."""
        fake = widen(fake)
        return GeneratorTerms(softplus(-fake).mean(), fake.mean())
