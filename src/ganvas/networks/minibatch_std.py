r"""Minibatch standard deviation: a critic is told how much the examples of a batch differ.

.. math:: s_g = \frac{1}{C H W} \sum_{c, i, j} \sqrt{\mathrm{Var}_{k \in g}\, x_{k c i j} + 10^{-8}},

appended as one more channel to every example of its group :math:`g`. A generator that makes equal examples gives itself
away. A batch of n examples is split into :math:`\lceil n / m \rceil` groups of at most m, whose sizes differ by at
most one; example k is in group k modulo their number, as in the authors' program, which asks for a batch that divides
evenly.

A score then depends on the other examples of its group, in evaluation too; the layer says so by ``couples``. A gradient
penalty then takes the gradient of all scores of a group with respect to each of its examples, as R1 does in StyleGAN2.

Reference: Karras et al. 2018, section 3, https://arxiv.org/abs/1710.10196
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchStd(nn.Module):
    """Append the mean standard deviation within a group as a channel.

    Args:
        group: m, largest number of examples in a group, at least 1; 4 in most papers, and 1 tells nothing.

    Attributes:
        couples: whether the output of an example depends on other examples, in evaluation mode too. Contracts and
            private training look for this attribute in every module of a critic.

    Raises:
        ValueError: a group below 1.
    """

    def __init__(self, group: int) -> None:
        super().__init__()
        if group < 1:
            raise ValueError(f"argument `group` is {group}; expected at least 1. Fix: write 4, or 1 for no such layer.")
        self.group = group
        self.couples = group > 1

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c+1 h w"]:
        """Append the channel."""
        groups = -(-len(x) // self.group)
        member = torch.arange(len(x), device=x.device) % groups
        variance = _mean((x - _mean(x, member, groups)[member]).square(), member, groups)
        deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))[member]
        return torch.cat([x, deviation.view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])], dim=1)


def _mean(x: Tensor, member: Tensor, groups: int) -> Tensor:
    """Mean over each group."""
    sums = x.new_zeros(groups, *x.shape[1:]).index_add(0, member, x)
    return sums / member.bincount(minlength=groups).view(-1, 1, 1, 1)
