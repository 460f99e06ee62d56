r"""The gradient of a critic's scores with respect to its input, itself differentiable.

.. math:: g_i = \nabla_x D(x)\big|_{x = x_i}, \qquad \|g_i\|_2 \text{ over all coordinates of what got one score}.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.constraints.base import Score
from ganvas.types import widen


def input_gradients(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, "m d"]:
    """Gradient of every score with respect to the examples it was given for.

    Computed without autocast, in at least ``float32``: a gradient of half precision would be squared and compared
    with 1. The critic must not couple examples (no batch normalisation), or a row holds the neighbours' part too.

    Args:
        critic: examples to ``m`` scores; one that packs ``n / m`` examples into a score packs consecutive ones.
        x: where to take the gradient, shape ``(n, *shape)``; its own graph is cut.

    Returns:
        One row for each score, with a graph to the critic's parameters.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = widen(x.detach()).requires_grad_()
        scores = critic(x)
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.reshape(len(scores), -1)


def distance_to_target(gradients: Float[Tensor, "m d"], target: float, *, one_sided: bool = False) -> Float[Tensor, ""]:
    r"""Mean squared distance of the gradients' norms to a target: :math:`\mathbb{E}_i (\|g_i\|_2 - t)^2`.

    Args:
        gradients: one row for each score.
        target: the norm asked for.
        one_sided: count only norms above the target, :math:`\max(0, \|g_i\|_2 - t)^2`.

    Returns:
        A scalar, zero or more.
    """
    excess = torch.linalg.vector_norm(gradients, dim=1) - target
    return (excess.clamp(min=0) if one_sided else excess).square().mean()


def zero_centred(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, ""]:
    r"""Half the mean squared norm of the gradient: :math:`\frac{1}{2} \mathbb{E}_i \|g_i\|_2^2`.

    Args:
        critic: examples to scores.
        x: where to take the gradient.
    """
    return input_gradients(critic, x).square().sum(dim=1).mean() / 2


def norms_at(critic: Score, x: Float[Tensor, " n *shape"]) -> Float[Tensor, " m"]:
    """Norm of the gradient of every score, for looking at: no graph stays, whatever mode the caller is in.

    Args:
        critic: examples to ``m`` scores.
        x: where to take the gradient.
    """
    with torch.enable_grad():
        return torch.linalg.vector_norm(input_gradients(critic, x), dim=1).detach()
