r"""The Wasserstein loss: the difference of a 1-Lipschitz critic's mean scores estimates the Wasserstein-1 distance.

.. math::
    W_1(p_\text{data}, p_G) = \sup_{\|D\|_L \le 1} \mathbb{E}_x D(x) - \mathbb{E}_z D(G(z)), \qquad
    L_D = \mathbb{E}_z D(G(z)) - \mathbb{E}_x D(x), \qquad L_G = -\mathbb{E}_z D(G(z)).

Without a Lipschitz constraint :math:`L_D` has no lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.adversarial.base import Adversarial
from ganvas.objectives.terms import GeneratorTerms, Terms
from ganvas.types import widen


@final
@dataclass(frozen=True, eq=False)
class WassersteinTerms(Terms):
    """The critic's loss and its estimate of the distance.

    Args:
        total: negative estimate, to minimise over the critic's parameters.
        wasserstein: estimate of the distance times the critic's Lipschitz constant.
        real_score: mean score of real examples.
        fake_score: mean score of generated examples.
    """

    wasserstein: Float[Tensor, ""]
    real_score: Float[Tensor, ""]
    fake_score: Float[Tensor, ""]


@final
@dataclass(frozen=True)
class Wasserstein(Adversarial):
    r"""Wasserstein GAN: :math:`L_D = E D(G(z)) - E D(x)` for a Lipschitz critic.

    Reference:
        Arjovsky et al. 2017, eq. 2 and algorithm 1, https://arxiv.org/abs/1701.07875
    """

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> WassersteinTerms:
        """Return the negative difference of mean scores, without the constraint's penalty."""
        real_score, fake_score = widen(real).mean(), widen(fake).mean()
        distance = real_score - fake_score
        return WassersteinTerms(-distance, distance, real_score, fake_score)

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the negative mean score."""
        fake = widen(fake)
        return GeneratorTerms(-fake.mean(), fake.mean())
