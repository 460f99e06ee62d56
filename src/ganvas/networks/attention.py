r"""Self-attention between the places of a grid, with a weight that starts at 0.

.. math::
    y = x + \gamma\, W_o\, v\, \mathrm{softmax}(k^\top q)^\top, \qquad q = W_q x,\ k = \mathrm{pool}(W_k x),\
    v = \mathrm{pool}(W_v x),

where the columns are places, :math:`W_q` and :math:`W_k` map to an eighth of the channels, :math:`W_v` to a half, and
the keys and values are pooled by the maximum over 2x2 places.

Reference: Zhang et al. 2018, section 3, https://arxiv.org/abs/1805.08318. The pooling and the half are those of the
authors' program; the paper has neither.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Add to each place of a grid a mixture of all places; at the start of training the layer is the identity.

    Args:
        channels: number of channels of the grid.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.back = nn.Conv2d(half, channels, 1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Attend."""
        query, key, value = (
            self.query(x).flatten(2),
            self.pool(self.key(x)).flatten(2),
            self.pool(self.value(x)).flatten(2),
        )
        # torch's scaled_dot_product_attention cannot be differentiated twice, which gradient penalties need.
        weights = torch.softmax(query.mT @ key, dim=2)
        return x + self.gamma * self.back((value @ weights.mT).unflatten(2, x.shape[2:]))
