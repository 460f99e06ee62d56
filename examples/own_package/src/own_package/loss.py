r"""An adversarial loss with tempered logits.

.. math:: L_D = E_x\, \mathrm{softplus}(-s D(x)) + E_z\, \mathrm{softplus}(s D(G(z))), \qquad
    L_G = E_z\, \mathrm{softplus}(-s D(G(z)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives import CriticTerms, Divergence, GeneratorTerms


@final
@dataclass(frozen=True)
class Logistic(Divergence):
    """The non-saturating loss with logits times a sharpness.

    Args:
        sharpness: s, positive.
    """

    sharpness: float

    def __post_init__(self) -> None:
        if not self.sharpness > 0:
            raise ValueError(f"sharpness: got {self.sharpness}, expected a positive number. Use 1.")

    @property
    def chance(self) -> float:
        """2 log 2, for the score 0."""
        return 2 * math.log(2)

    def critic_terms(self, real: Tensor, fake: Tensor) -> CriticTerms:
        """Return the cross-entropy of the tempered logits, nats."""
        real, fake = real.float(), fake.float()
        total = softplus(-self.sharpness * real).mean() + softplus(self.sharpness * fake).mean()
        return CriticTerms(total, real.mean(), fake.mean())

    def generator_terms(self, fake: Tensor, real: Tensor | None = None) -> GeneratorTerms:
        """Return the cross-entropy for the label real, nats."""
        fake = fake.float()
        return GeneratorTerms(softplus(-self.sharpness * fake).mean(), fake.mean())
