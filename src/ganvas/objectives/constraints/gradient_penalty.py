r"""Gradient penalty: the critic's gradient is pulled towards norm one on the lines between real and generated examples.

.. math::
    \Omega = \lambda\, \mathbb{E}_{\hat x} \big(\|\nabla_{\hat x} D(\hat x)\|_2 - t\big)^2, \qquad
    \hat x = x + \epsilon\,(G(z) - x), \quad \epsilon \sim U[0, 1] \text{ for each example}.

The one-sided form penalises only norms above :math:`t`: :math:`\max(0, \|\nabla D\|_2 - t)^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import CriticSlopes, Penalty, Score
from ganvas.objectives.constraints.input_gradients import distance_to_target, input_gradients, norms_at
from ganvas.objectives.validation import require
from ganvas.types import widen


def interpolate(real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]) -> Float[Tensor, " n *shape"]:
    """Draw a point uniformly on the line between each real example and the generated one in the same row.

    Args:
        real: real examples, shape ``(n, *shape)``.
        fake: generated examples, same shape.

    Returns:
        Points in at least ``float32``, without a graph.
    """
    real, fake = widen(real.detach()), widen(fake.detach())
    position = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(real, fake, position)


@final
@dataclass(frozen=True)
class GradientPenalty(Penalty):
    r"""WGAN-GP's penalty: :math:`\lambda\, E(\|\nabla D(\hat x)\|_2 - t)^2`.

    Batch normalisation in the critic couples examples and makes the gradient of one score depend on the others:
    use layer or instance normalisation, or none.

    Reference:
        Gulrajani et al. 2017, eq. 3, https://arxiv.org/abs/1704.00028; the one-sided form is Petzka et al. 2018
        (WGAN-LP), section 5, https://arxiv.org/abs/1709.08894

    Args:
        weight: :math:`\lambda`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
        target: :math:`t`, target of the gradient's norm, positive.
        one_sided: whether norms below the target cost nothing.

    Raises:
        ValueError: ``weight`` or ``target`` is not positive, or ``every`` is below 1.
    """

    target: float
    one_sided: bool
    lipschitz: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.target > 0, "target", self.target, "a positive number", "Use 1; constraint=r1 pulls towards 0.")

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the mean squared distance to the target at a random point between each pair."""
        gradients = input_gradients(critic, interpolate(real, fake))
        return distance_to_target(gradients, self.target, one_sided=self.one_sided)

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> CriticSlopes:
        """Compute the gradient norm at a random point between each pair."""
        return CriticSlopes(norms_at(critic, interpolate(real, fake)), self.target, self.one_sided)
