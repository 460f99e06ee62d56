r"""The unrolled critic: the generator is judged by the critic that would stand after some more of its steps.

.. math:: \theta_{k+1} = \theta_k - \eta\, \mathrm{Adam}\big(\nabla_\theta L_D(\theta_k, G)\big), \qquad
    L_G = \ell_G\big(D_{\theta_K}(G(z)), D_{\theta_K}(x)\big).

The gradient with respect to the generator also passes through :math:`\theta_K`. In the minimax game, :math:`\ell_G` is
minus the critic's whole loss, as in the paper. The critic itself is not changed: its
weights, its batch statistics and the moments of its optimiser are copied. The steps are those of Adam, from its present
moments.

Reference: Metz et al. 2017, eq. 6 and 7, https://arxiv.org/abs/1611.02163
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.objectives import Auxiliary, Constraint, Reparametrisation, Unconstrained

Weights = dict[str, Tensor]
"""Parameters and buffers of a network by name."""
TINY = 1e-30
"""Least second moment: the square root has no finite derivative at 0."""


def check_unrolling(steps: int, constraint: Constraint, auxiliary: Auxiliary) -> None:
    """Refuse what the critic's steps ahead would leave out.

    Args:
        steps: number of steps; 0 does not look ahead.
        constraint: constraint on the critic.
        auxiliary: auxiliary term.

    Raises:
        ValueError: the number is negative, or another part changes the critic's loss.
    """
    if steps < 0:
        raise ValueError(f"unroll={steps}: expected at least 0 steps; write model.unroll=0 to not look ahead")
    others = [
        type(part).__name__ for part in constraint.flat() if not isinstance(part, (Reparametrisation, Unconstrained))
    ]
    others += [] if auxiliary.recognised is None else [type(auxiliary).__name__]
    if steps and others:
        raise ValueError(
            f"unroll={steps} looks ahead with the critic's own loss, without {' and '.join(others)}; "
            "write constraint=none (or spectral_norm) and auxiliary=none, or model.unroll=0"
        )


def unrolled(
    critic: nn.Module, loss: Callable[[Weights], Tensor], optimizer: torch.optim.Optimizer, steps: int
) -> Weights:
    """Compute the critic's weights after ``steps`` steps of Adam, as a differentiable function of what ``loss`` sees.

    Args:
        critic: network in training; it is not changed.
        loss: maps weights to the critic's loss.
        optimizer: the critic's Adam; its state is not changed.
        steps: number of steps, at least 1.

    Returns:
        Parameters and buffers by name.

    Raises:
        ValueError: the optimiser is not Adam.
    """
    if not isinstance(optimizer, torch.optim.Adam):
        raise ValueError(f"unroll: looks ahead with Adam, got {type(optimizer).__name__}; write optimizer=adam")
    buffers = {name: buffer.clone() for name, buffer in critic.named_buffers()}
    own = dict(critic.named_parameters())
    weights = {name: parameter.detach().clone().requires_grad_() for name, parameter in own.items()}
    moments = {name: _moments(optimizer, parameter) for name, parameter in own.items()}
    for _ in range(steps):
        gradients = torch.autograd.grad(loss({**weights, **buffers}), list(weights.values()), create_graph=True)
        for (name, weight), gradient in zip(list(weights.items()), gradients, strict=True):
            weights[name], moments[name] = _step(weight, gradient, moments[name], optimizer.param_groups[0])
    return {**weights, **buffers}


Moments = tuple[int, Tensor, Tensor]
"""Number of steps, mean gradient and mean squared gradient."""


def _moments(optimizer: torch.optim.Optimizer, parameter: Tensor) -> Moments:
    state = optimizer.state.get(parameter, {})
    zero = torch.zeros_like(parameter)
    first, second = state.get("exp_avg", zero), state.get("exp_avg_sq", zero)
    return int(state.get("step", 0)), first.clone(), second.clone()


def _step(weight: Tensor, gradient: Tensor, moments: Moments, group: dict[str, Any]) -> tuple[Tensor, Moments]:
    """Compute Adam's step (Kingma & Ba 2015, algorithm 1) with a graph."""
    (beta1, beta2), (count, first, second) = group["betas"], moments
    count += 1
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient.square()
    size = (second / (1 - beta2**count)).clamp(min=TINY).sqrt() + group["eps"]
    return weight - group["lr"] * first / (1 - beta1**count) / size, (count, first, second)
