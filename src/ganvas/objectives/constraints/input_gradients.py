r"""Differentiable gradients of a critic's scores with respect to its input, and penalties on their norms.

.. math:: g_i = \nabla_x D(x)\big|_{x = x_i}, \qquad \|g_i\|_2 \text{ over all coordinates behind one score}.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import Score
from ganvas.types import widen


def input_gradients(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, "m d"]:
    """Compute the gradient of each score with respect to its examples.

    It is computed without autocast in at least ``float32``, because half precision is too coarse for a squared distance
    to 1. The critic must not couple examples (no batch normalisation); otherwise a row also contains the gradient of
    other scores. The minibatch standard deviation of StyleGAN2's critic couples the examples of a group: a row is then
    the gradient of the group's summed scores with respect to one example, as in the authors' R1.

    Args:
        critic: maps examples to ``m`` scores; a critic that packs scores ``n / m`` consecutive examples together, and
            one of patches gives ``m / n`` scores to each example, whose mean is taken.
        x: points at which the gradient is taken, shape ``(n, *shape)``; their graph is cut.

    Returns:
        One row for each score, or for the mean score of each example, with a graph to the critic's parameters.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = widen(x.detach()).requires_grad_()
        scores = critic(x)
        of_each = max(1, len(scores) // len(x))
        (gradient,) = torch.autograd.grad(scores.sum() / of_each, x, create_graph=True)
    return gradient.reshape(min(len(scores), len(x)), -1)


def distance_to_target(gradients: Float[Tensor, "m d"], target: float, *, one_sided: bool = False) -> Float[Tensor, ""]:
    r"""Compute the mean squared distance of gradient norms to a target: :math:`\mathbb{E}_i (\|g_i\|_2 - t)^2`.

    Args:
        gradients: one row for each score.
        target: target of the norms, :math:`t`.
        one_sided: whether to count only norms above the target, :math:`\max(0, \|g_i\|_2 - t)^2`.

    Returns:
        A scalar, zero or more.
    """
    excess = torch.linalg.vector_norm(gradients, dim=1) - target
    return (excess.clamp(min=0) if one_sided else excess).square().mean()


def zero_centred(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, ""]:
    r"""Compute half the mean squared norm of the gradient: :math:`\frac{1}{2} \mathbb{E}_i \|g_i\|_2^2`.

    Args:
        critic: maps examples to scores.
        x: points at which the gradient is taken.
    """
    return input_gradients(critic, x).square().sum(dim=1).mean() / 2


def norms_at(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, " m"]:
    """Compute the norm of each score's gradient without a graph, also inside ``torch.no_grad``.

    Args:
        critic: maps examples to ``m`` scores.
        x: points at which the gradient is taken.
    """
    with torch.enable_grad():
        return torch.linalg.vector_norm(input_gradients(critic, x), dim=1).detach()
