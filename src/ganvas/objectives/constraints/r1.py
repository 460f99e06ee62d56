r"""R1: the discriminator's gradient is pulled towards zero on real examples, which makes the game converge locally.

.. math:: \Omega = \frac{\gamma}{2}\, \mathbb{E}_{x \sim p_\text{data}} \|\nabla_x D(x)\|_2^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import Penalty, Score
from ganvas.objectives.constraints.gradients import input_gradients
from ganvas.objectives.validation import require


@final
@dataclass(frozen=True)
class R1(Penalty):
    r"""Zero-centred gradient penalty on real examples: :math:`\frac{\gamma}{2} E\|\nabla D(x)\|^2`.

    Reference:
        Mescheder et al. 2018, eq. 9, https://arxiv.org/abs/1801.04406

    Args:
        weight: :math:`\gamma`, positive.

    Raises:
        ValueError: if ``weight`` is not positive.
    """

    weight: float
    lipschitz: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require(self.weight > 0, "weight", self.weight, "a positive number", "Use 10, or constraint=none for none.")

    def penalty(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Return the weighted penalty at the real examples; ``fake`` is not read."""
        return self.weight / 2 * input_gradients(critic, real).square().sum(dim=1).mean()
