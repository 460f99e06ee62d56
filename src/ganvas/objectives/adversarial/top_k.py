r"""Top-k training: the generator learns from those of its examples that the critic finds most realistic.

.. math:: L_G = \ell_G\big(\text{the } \lceil \rho m \rceil \text{ largest of } D(G(z_1)), \dots, D(G(z_m))\big).

The gradient at poor examples may point away from the data. The share :math:`\rho` falls from 1 in training; it is moved
by a schedule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.adversarial.base import Divergence
from ganvas.objectives.terms import Terms
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class TopK(Divergence):
    r"""The losses of another objective, the generator's over a share of its examples.

    Reference:
        Sinha et al. 2020, algorithm 1, https://arxiv.org/abs/2002.06224; they let the share fall to 0.5.

    Args:
        inner: the other objective, which does not compare pairs.
        share: :math:`\rho`, in (0, 1].

    Raises:
        ValueError: ``share`` is out of range, or ``inner`` compares pairs.
    """

    inner: Divergence
    share: float

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "share", self.share, "a number above 0 and at most 1", "Use 0.5.")
        name = type(self.inner).__name__
        require(not self.inner.paired, "inner", name, "an objective without pairs", "Use non_saturating or hinge.")

    @property
    def chance(self) -> float:
        """Chance level of the other objective."""
        return self.inner.chance

    def critic_terms(self, real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Terms:
        """Return the other objective's terms."""
        return self.inner.critic_terms(real, fake)

    def generator_terms(self, fake: Float[Tensor, " m"], real: Float[Tensor, " m"] | None = None) -> Terms:
        """Return the other objective's terms at the largest scores."""
        return self.inner.generator_terms(fake.topk(math.ceil(self.share * len(fake))).values)
