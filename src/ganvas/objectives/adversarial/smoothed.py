r"""The non-saturating loss with one-sided label smoothing: the target of real examples is below 1.

.. math:: L_D = -\mathbb{E}_x \big[(1 - s) \log D(x) + s \log(1 - D(x))\big] - \mathbb{E}_z \log(1 - D(G(z))), \qquad
    L_G = -\mathbb{E}_z \log D(G(z)).

The best discriminator is :math:`D(x) = (1 - s)\, p(x) / (p(x) + p_G(x))`, which is never sure of a real example. The
target of generated examples stays 0: another one would pull the generator towards its own examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.terms import CriticTerms, GeneratorTerms
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Smoothed(Divergence):
    r"""Non-saturating GAN whose discriminator is taught :math:`1 - s` for real examples.

    Reference:
        Salimans et al. 2016, section 3.4, https://arxiv.org/abs/1606.03498

    Args:
        smoothing: :math:`s`, in (0, 1).

    Raises:
        ValueError: ``smoothing`` is out of range.
    """

    smoothing: float

    def __post_init__(self) -> None:
        s = self.smoothing
        require(0 < s < 1, "smoothing", s, "a number between 0 and 1", "Use 0.1, or objective=non_saturating for 0.")

    @property
    def chance(self) -> float:
        r"""Binary entropy of the best constant, :math:`D = (1 - s) / 2`, twice."""
        p = (1 - self.smoothing) / 2
        return -2 * (p * math.log(p) + (1 - p) * math.log(1 - p))

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> CriticTerms:
        """Return the cross-entropy from the smoothed targets, nats."""
        real, fake = widen(real), widen(fake)
        s = self.smoothing
        loss = (1 - s) * softplus(-real).mean() + s * softplus(real).mean() + softplus(fake).mean()
        return CriticTerms(loss, real.mean(), fake.mean())

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> GeneratorTerms:
        """Return minus the mean log probability that generated examples are real, nats."""
        fake = widen(fake)
        return GeneratorTerms(softplus(-fake).mean(), fake.mean())
