r"""Exponential moving average of a network's weights, its memory stated in images.

After a step that showed :math:`b` images, with half-life :math:`h` images,

.. math:: \bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\, \theta, \qquad \beta = 2^{-b / \min(h,\; s / 20)},

where :math:`s` is images seen: early in training the memory is a twentieth of the past, so that the average forgets the
initial weights. Reference: Karras et al. 2020, the ``ema_rampup`` of https://arxiv.org/abs/2006.06676 (their code).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

RAMP_UP = 0.05


class EMA(nn.Module):
    """A copy of ``source`` whose weights and floating buffers follow it slowly.

    Args:
        source: the network in training; copied, never changed.
        halflife: :math:`h`, images after which a weight's influence has halved; > 0.
    """

    def __init__(self, source: nn.Module, halflife: int) -> None:
        super().__init__()
        if halflife <= 0:
            raise ValueError(f"ema_halflife={halflife} must be > 0 images; write ema_halflife=null for no average")
        self.halflife: float = halflife
        self.base_halflife = halflife
        self.module = copy.deepcopy(source).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, source: nn.Module, images: int, images_seen: int) -> None:
        """One step of the average.

        Args:
            source: the network in training.
            images: :math:`b`, images shown since the last update.
            images_seen: :math:`s`, images shown in all, this step's included.
        """
        beta = 0.5 ** (images / max(min(self.halflife, images_seen * RAMP_UP), 1e-8))
        torch._foreach_lerp_(list(self.module.parameters()), list(source.parameters()), 1.0 - beta)
        for mine, theirs in zip(self.module.buffers(), source.buffers(), strict=True):
            _follow(mine, theirs, 1.0 - beta)


def _follow(mine: Tensor, theirs: Tensor, weight: float) -> None:
    # BatchNorm counts its batches in an integer buffer, which has no average.
    if mine.is_floating_point():
        mine.lerp_(theirs, weight)
    else:
        mine.copy_(theirs)
