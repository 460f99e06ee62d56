r"""A scalar whose gradient weighs the draws differently for the networks and for the latents.

With :math:`\log p_i = \log p_\theta(x \mid z_i) + \log p_\theta(z_i)` and constant weights :math:`a_i, b_i`, its value
is 0 and its gradient is

.. math::
    \nabla_\theta = \sum_i a_i\, \frac{\partial \log p_i}{\partial \theta}, \qquad
    \nabla_\varphi = \sum_i b_i\, \frac{\partial \log p_i}{\partial z_i} \frac{\partial z_i}{\partial \varphi}.

:math:`\theta` are the parameters of decoder and prior, :math:`\varphi` those that the latents depend on. No sum of
:math:`c_i \log p_i` has this gradient: the difference :math:`\sum_i (b_i - a_i)\, \partial \log p_i / \partial z_i` is
computed first, and added as a constant times :math:`z_i`. This passes once more through the decoder, without the
gradients of its parameters.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def surrogate(
    log_p: Float[Tensor, "k n"],
    z: Float[Tensor, "k n d"],
    of_networks: Float[Tensor, "k n"],
    of_draws: Float[Tensor, "k n"],
) -> Float[Tensor, ""]:
    """Make the scalar; its gradient is that of a sum over draws and images.

    Args:
        log_p: log joint density of images and draws, nats.
        z: the draws, as they went into the decoder.
        of_networks: weights :math:`a_i`, without a gradient.
        of_draws: weights :math:`b_i`, without a gradient.
    """
    total = (of_networks * log_p).sum()
    if z.requires_grad:
        difference = ((of_draws - of_networks) * log_p).sum()
        (correction,) = torch.autograd.grad(difference, z, retain_graph=True, allow_unused=True, materialize_grads=True)
        total = total + (correction * z).sum()
    return without_value(total)


def without_value(x: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Keep the gradient of a scalar, and make its value 0."""
    return x - x.detach()
