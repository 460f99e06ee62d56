r"""Exponential moving average of a network's weights, with a half-life in images.

After a step that showed :math:`b` images, with half-life :math:`h` images,

.. math:: \bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\, \theta, \qquad \beta = 2^{-b / \min(h,\; s / 20)},

where :math:`s` is the number of images seen. Early in training the half-life is a twentieth of that number, so that the
average forgets the initial weights. Reference: Karras et al. 2020, https://arxiv.org/abs/2006.06676, ``ema_rampup`` in
their code.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

RAMP_UP = 0.05


class EMA(nn.Module):
    """A copy of ``source`` with averaged weights and floating-point buffers.

    Args:
        source: network in training; it is copied and never changed.
        halflife: :math:`h`, number of images after which a weight's influence has halved; positive.
    """

    def __init__(self, source: nn.Module, halflife: int) -> None:
        super().__init__()
        if halflife <= 0:
            raise ValueError(f"ema_halflife={halflife} must be > 0 images; write ema_halflife=null for no average")
        self.halflife: float = halflife
        self.base_halflife = halflife
        self.module = copy.deepcopy(source).requires_grad_(False).eval()

    def update(self, source: nn.Module, images: int, images_seen: int) -> None:
        """Update the average.

        Args:
            source: network in training.
            images: :math:`b`, images seen since the last update.
            images_seen: :math:`s`, images seen in all, including this step.
        """
        beta = 0.5 ** (images / max(min(self.halflife, images_seen * RAMP_UP), 1e-8))
        follow(self.module, source, 1.0 - beta)


@torch.no_grad()
def follow(average: nn.Module, source: nn.Module, weight: float) -> None:
    """Move the weights and the floating-point buffers of an average towards those of its source.

    Args:
        average: the average, changed in place.
        source: a network of the same kind.
        weight: share of the way, in [0, 1].
    """
    if any(True for _ in average.parameters()):
        torch._foreach_lerp_(list(average.parameters()), list(source.parameters()), weight)
    for mine, theirs in zip(average.buffers(), source.buffers(), strict=True):
        # BatchNorm counts its batches in an integer buffer, for which an average makes no sense.
        if mine.is_floating_point():
            mine.lerp_(theirs, weight)
        else:
            mine.copy_(theirs)
