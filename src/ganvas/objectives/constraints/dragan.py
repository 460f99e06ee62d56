r"""DRAGAN: the discriminator's gradient is pulled towards norm one in a neighbourhood of the real examples.

.. math::
    \Omega = \lambda\, \mathbb{E}_{\hat x} \big(\|\nabla_{\hat x} D(\hat x)\|_2 - k\big)^2, \qquad
    \hat x = x + \alpha\, c\, s\, u, \quad \alpha \sim U[0, 1], \; u \sim U[0, 1]^d,

where :math:`s` is the standard deviation of all coordinates of the batch. This is the perturbation of the authors'
program; the paper's text writes :math:`\hat x = x + \delta` with :math:`\delta \sim N(0, c I)`. We follow the program,
because the published results come from it, and other implementations follow it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import CriticSlopes, Penalty, Score
from ganvas.objectives.constraints.gradient_penalty import interpolate
from ganvas.objectives.constraints.input_gradients import distance_to_target, input_gradients, norms_at
from ganvas.objectives.validation import require
from ganvas.types import widen


@final
@dataclass(frozen=True)
class Dragan(Penalty):
    r"""Local gradient penalty: :math:`\lambda\, E(\|\nabla D(x + \alpha c s u)\|_2 - k)^2`.

    Reference:
        Kodali et al. 2017, section 2.4, https://arxiv.org/abs/1705.07215, and the authors' program,
        https://github.com/kodalinaveen3/DRAGAN (``get_perturbed_batch``, ``interpolates``)

    Args:
        weight: :math:`\lambda`, positive.
        every: the penalty is added at every ``every``-th critic update; at least 1.
        target: :math:`k`, target of the gradient's norm, positive.
        noise_scale: :math:`c`, size of the neighbourhood in standard deviations of the batch, positive.

    Raises:
        ValueError: ``weight``, ``target`` or ``noise_scale`` is not positive, or ``every`` is below 1.
    """

    target: float
    noise_scale: float
    lipschitz: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.target > 0, "target", self.target, "a positive number", "Use 1; constraint=r1 pulls towards 0.")
        require(self.noise_scale > 0, "noise_scale", self.noise_scale, "a positive number", "Use 0.5, the authors'.")

    def perturb(self, real: Float[Tensor, " n *shape"]) -> Float[Tensor, " n *shape"]:
        """Add uniform noise to each example, which gives the far end of its neighbourhood.

        Args:
            real: real examples, shape ``(n, *shape)``.

        Returns:
            Examples in which each coordinate is raised by at most ``noise_scale`` standard deviations.
        """
        real = widen(real.detach())
        return real + self.noise_scale * real.std(correction=0) * torch.rand_like(real)

    def term(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> Float[Tensor, ""]:
        """Compute the mean squared distance to the target at a random point near each real example."""
        gradients = input_gradients(critic, interpolate(real, self.perturb(real)))
        return distance_to_target(gradients, self.target)

    def input_gradients(
        self, critic: Score, real: Float[Tensor, " n *shape"], fake: Float[Tensor, " n *shape"]
    ) -> CriticSlopes:
        """Compute the gradient norm at a random point near each real example."""
        return CriticSlopes(norms_at(critic, interpolate(real, self.perturb(real))), self.target, one_sided=False)
