r"""The relativistic average loss: an example is compared with the mean score of the other kind.

.. math::
    L_D &= \mathbb{E}_x\, \mathrm{softplus}\big(-(D(x) - \bar D_G)\big)
        + \mathbb{E}_z\, \mathrm{softplus}\big(D(G(z)) - \bar D_x\big), \\
    L_G &= \mathbb{E}_z\, \mathrm{softplus}\big(-(D(G(z)) - \bar D_x)\big)
        + \mathbb{E}_x\, \mathrm{softplus}\big(D(x) - \bar D_G\big),

where :math:`\bar D_x` and :math:`\bar D_G` are the mean scores of real and of generated examples.
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
class RelativisticAverage(Divergence):
    r"""Relativistic average GAN: :math:`D(x) - \bar D_G` is the logit of a real example's being real.

    Reference:
        Jolicoeur-Martineau 2018, eq. 4 to 6, https://arxiv.org/abs/1807.00734
    """

    paired: ClassVar[bool] = True

    @property
    def chance(self) -> float:
        r""":math:`2 \log 2`, at equal scores."""
        return 2 * math.log(2)

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> CriticTerms:
        """Return the loss of real examples above the mean generated one, and of generated below the mean real one."""
        real, fake = widen(real), widen(fake)
        return CriticTerms(_average(real, fake), real.mean(), fake.mean())

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return the same loss with the roles exchanged, in nats."""
        require(real is not None, "real", real, "the scores of real examples", "Pass the critic's real scores.")
        assert real is not None
        real, fake = widen(real), widen(fake)
        return GeneratorTerms(_average(fake, real), fake.mean())


def _average(better: Tensor, worse: Tensor) -> Tensor:
    return softplus(worse.mean() - better).mean() + softplus(worse - better.mean()).mean()
