r"""Max-gradient penalty: the largest squared gradient norm between real and generated examples is kept small.

.. math:: \lambda \max_i \|\nabla D(\hat x_i)\|_2^2, \qquad
    \hat x_i = (1 - u_i)\, x_i + u_i\, G(z_i), \quad u_i \sim U(0, 1).

The maximum over the batch stands for the critic's Lipschitz constant. The critic is then Lipschitz, with a constant
that depends on ``weight`` and on the distance between both distributions, as with weight clipping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import Penalty, Score
from ganvas.objectives.constraints.gradient_penalty import interpolate
from ganvas.objectives.constraints.input_gradients import input_gradients


@final
@dataclass(frozen=True)
class MaxGradientPenalty(Penalty):
    r"""The penalty of Lipschitz GANs: :math:`\lambda \max \|\nabla D(\hat x)\|_2^2`.

    Reference:
        Zhou et al. 2019, section 4.1, https://arxiv.org/abs/1902.05687

    Args:
        weight: :math:`\lambda`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
    """

    lipschitz: ClassVar[bool] = True

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the largest squared gradient norm at a random point between each pair."""
        return input_gradients(critic, interpolate(real, fake)).square().sum(dim=1).max()
