r"""The hinge loss: scores beyond a margin of one cost the discriminator nothing; the generator raises its scores.

.. math::
    L_D = \mathbb{E}_x \max(0, 1 - D(x)) + \mathbb{E}_z \max(0, 1 + D(G(z))), \qquad L_G = -\mathbb{E}_z D(G(z)).

At the optimal discriminator :math:`L_D = 2 - 2\,\mathrm{TV}(p_\text{data}, p_G)`, the total variation distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.terms import CriticTerms, GeneratorTerms
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Hinge(Divergence):
    r"""Hinge GAN: :math:`L_D = E\max(0, 1 - D(x)) + E\max(0, 1 + D(G(z)))`.

    Reference:
        Lim and Ye 2017, section 2, https://arxiv.org/abs/1705.02894; as used by Miyato et al. 2018, eq. 16 and 17,
        https://arxiv.org/abs/1802.05957
    """

    @property
    def chance(self) -> float:
        """2, for any constant score in [-1, 1]."""
        return 2.0

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> CriticTerms:
        """Return the mean violation of the margin; it is 2 if all scores are 0."""
        real, fake = widen(real), widen(fake)
        return CriticTerms(relu(1 - real).mean() + relu(1 + fake).mean(), real.mean(), fake.mean())

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the negative mean score."""
        fake = widen(fake)
        return GeneratorTerms(-fake.mean(), fake.mean())
