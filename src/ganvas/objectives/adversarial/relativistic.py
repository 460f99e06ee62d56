r"""The relativistic loss of pairs: the critic judges which of two examples is more realistic.

.. math::
    L_D = \mathbb{E}_{x, z}\, \mathrm{softplus}\big(-(D(x) - D(G(z)))\big), \qquad
    L_G = \mathbb{E}_{x, z}\, \mathrm{softplus}\big(-(D(G(z)) - D(x))\big).

A constant added to all scores changes nothing. The generator pushes the score of each example above that of the real
example in its pair. This protects against dropped modes: the loss has no local minima with dropped modes (Sun et al.
2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.terms import CriticTerms, GeneratorTerms
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Relativistic(Divergence):
    r"""Relativistic pairing GAN: :math:`L_D = E\, \mathrm{softplus}(D(G(z)) - D(x))`; roles exchange for the generator.

    Reference:
        Jolicoeur-Martineau 2018, eq. 3, https://arxiv.org/abs/1807.00734. With R1 and R2 it is the R3GAN of
        Huang et al. 2024, section 2, https://arxiv.org/abs/2501.05441
    """

    paired: ClassVar[bool] = True

    @property
    def chance(self) -> float:
        r""":math:`\log 2`, at equal scores."""
        return math.log(2)

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> CriticTerms:
        """Return the mean loss over pairs of a real and a generated example, in nats."""
        real, fake = _pairs(real, fake)
        return CriticTerms(softplus(fake - real).mean(), real.mean(), fake.mean())

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the mean loss over the same pairs with the roles exchanged, in nats."""
        require(real is not None, "real", real, "the scores of as many real examples", "Pass the critic's real scores.")
        assert real is not None
        real, fake = _pairs(real, fake)
        return GeneratorTerms(softplus(real - fake).mean(), fake.mean())


def _pairs(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    sizes = (len(real), len(fake))
    require(
        sizes[0] == sizes[1], "real, fake", sizes, "as many real as generated scores", "Draw one fake for each image."
    )
    return widen(real), widen(fake)
