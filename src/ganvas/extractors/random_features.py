r"""A small convolutional network with fixed random weights: an example of ``extractor=custom`` that needs no download.

.. math:: h_0 = x, \quad h_{l} = \max(0, W_l * h_{l-1}), \quad f = \operatorname{mean}_{u,v} h_3(u, v)

with 3x3 kernels, stride 2 and widths 16, 32, 64; the weights are normal with variance 2 / fan-in. Such features see
colours, edges and textures but not objects, so a distance on them ranks models of one data set and means nothing beside
numbers of other papers.

Reference: Naeem et al. 2020 (random embeddings for images unlike ImageNet's), https://arxiv.org/abs/2002.09797;
initialisation: He et al. 2015, https://arxiv.org/abs/1502.01852.
"""

from __future__ import annotations

from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDTHS: Final = (16, 32, 64)
_SEED: Final = 0


@final
class RandomFeatures(nn.Module):
    """The network; two instances have equal weights."""

    def __init__(self) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(_SEED)
        pairs = zip((3, *WIDTHS), WIDTHS, strict=False)
        layers = [nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False) for a, b in pairs]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, generator=draws)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 64"]:
        """Compute the features of images in [-1, 1]."""
        for layer in self.layers:
            x = layer(x).relu()
        return x.mean((2, 3))
