r"""R1 and R2: the discriminator's gradient is pulled towards zero on real, or on generated, examples.

.. math:: R_1 = \frac{\gamma}{2}\, \mathbb{E}_{x \sim p_\text{data}} \|\nabla_x D(x)\|_2^2, \qquad
    R_2 = \frac{\gamma}{2}\, \mathbb{E}_{x \sim p_G} \|\nabla_x D(x)\|_2^2.

Each of them makes the training of a GAN converge locally; the relativistic loss needs both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import Penalty, Score
from ganvas.objectives.constraints.input_gradients import zero_centred


@final
@dataclass(frozen=True)
class R1(Penalty):
    r"""Zero-centred gradient penalty on real examples: :math:`\frac{\gamma}{2} E\|\nabla D(x)\|^2`.

    Reference:
        Mescheder et al. 2018, eq. 9, https://arxiv.org/abs/1801.04406

    Args:
        weight: :math:`\gamma`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1 (StyleGAN2: 16).
    """

    lipschitz: ClassVar[bool] = False

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute half the mean squared gradient norm at the real examples."""
        return zero_centred(critic, real)


@final
@dataclass(frozen=True)
class R2(Penalty):
    r"""Zero-centred gradient penalty on generated examples: :math:`\frac{\gamma}{2} E\|\nabla D(G(z))\|^2`.

    Reference:
        Mescheder et al. 2018, eq. 10, https://arxiv.org/abs/1801.04406

    Args:
        weight: :math:`\gamma`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
    """

    lipschitz: ClassVar[bool] = False

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute half the mean squared gradient norm at the generated examples."""
        return zero_centred(critic, fake)
