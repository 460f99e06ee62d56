r"""The zero-sum game of the first GAN. The generator's loss saturates where the discriminator is sure.

.. math::
    L_D = -\mathbb{E}_x \log \sigma(D(x)) - \mathbb{E}_z \log\big(1 - \sigma(D(G(z)))\big), \qquad
    L_G = \mathbb{E}_z \log\big(1 - \sigma(D(G(z)))\big) = -\mathbb{E}_z\, \mathrm{softplus}(D(G(z))).
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
class Minimax(Divergence):
    r"""Minimax (saturating) GAN: :math:`L_G = \mathbb{E}_z \log(1 - \sigma(D(G(z))))`.

    Reference:
        Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661
    """

    @property
    def chance(self) -> float:
        r""":math:`2 \log 2`, at the score 0."""
        return 2 * math.log(2)

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> JensenShannonTerms:
        """Return the cross-entropy, see :func:`~ganvas.objectives.adversarial.jensen_shannon.cross_entropy_terms`."""
        return cross_entropy_terms(real, fake)

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the mean log-probability of being classified as generated, in nats.

        With ``real``, return minus the critic's whole loss: its real half reaches the generator through a critic that
        looks ahead.
        """
        total = -softplus(widen(fake)).mean() if real is None else -cross_entropy_terms(real, fake).total
        return GeneratorTerms(total, widen(fake).mean())
