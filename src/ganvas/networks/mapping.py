r"""StyleGAN's mapping: dense layers from a latent, a class, or both, to a style.

.. math:: w = f\big(n(z), n(E_y)\big), \qquad n(x) = x \Big/ \sqrt{\textstyle\frac{1}{d} \sum_i x_i^2 + 10^{-8}},

where :math:`E` embeds the classes. The layers learn a hundred times more slowly than all others.

Reference: Karras et al. 2019, section 2, https://arxiv.org/abs/1812.04948; with classes Karras et al. 2020 (ADA),
https://arxiv.org/abs/2006.06676, in the authors' code.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ganvas.networks import equalised

RATE: Final = 0.01
"""Learning rate of the layers, relative to those of other networks."""


def _normalised(x: Tensor) -> Tensor:
    """Divide each row by its root mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Mapping(nn.Module):
    """Dense layers from a latent, a class, or both, to a style.

    Args:
        latent_dim: number of latent dimensions; 0 for none.
        classes: number of classes; 0 for none.
        style_dim: width of all layers, and of the embedding of a class.
        layers: number of layers; 8 in the paper, 2 in the recipe for small images.
    """

    def __init__(self, latent_dim: int, classes: int, style_dim: int, layers: int) -> None:
        super().__init__()
        self.embedding = equalised.linear(classes, style_dim) if classes else None
        widths = [latent_dim + style_dim * bool(classes), *[style_dim] * layers]
        dense = [equalised.linear(inputs, outputs, rate=RATE) for inputs, outputs in pairwise(widths)]
        self.body = nn.Sequential(*(layer for one in dense for layer in (one, equalised.Rectified())))

    def forward(self, z: Float[Tensor, "n d"], y: Int64[Tensor, " n"] | None) -> Float[Tensor, "n w"]:
        """Map latents and classes to styles."""
        given = [_normalised(z)] if z.shape[1] else []
        if self.embedding is not None and y is not None:
            one_hot = nn.functional.one_hot(y, self.embedding.in_features).to(z.dtype)
            given.append(_normalised(self.embedding(one_hot)))
        return self.body(torch.cat(given, dim=1))
