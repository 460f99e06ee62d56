r"""The classifier behind the embedded colour extractor: seven convolutions, a global average, one linear layer.

.. math:: f(x) = (\operatorname{avg} h_1(x), \operatorname{avg} h_3(x)) \in \mathbb{R}^{64 + 128}, \qquad
    \ell(x) = W \operatorname{avg} h_3(x) + b \in \mathbb{R}^{10},

where a first layer whitens patches of 2x2 pixels, every stage :math:`h_i` is convolution, pooling, batch normalisation,
GELU, convolution, batch normalisation, GELU, and the average is over positions. The Fréchet and kernel distances are
computed from the features :math:`f`, the Inception Score from the logits :math:`\ell`.

The last stage alone does not order strong damage. Strong noise looks to it like images of one class, and its distance
to real images falls again when the noise grows beyond a standard deviation of 25 of 255. The distance of the first
stage rises with any amount of noise or blur, and adds little where images resemble real ones.

The trained weights are written by ``scripts/train_colour_extractor.py`` and shipped in the folder ``weights``.

Reference: the stages and the whitening are those of Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU",
https://arxiv.org/abs/2404.00498; narrower here, with an average in place of the last maximum.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def _stage(channels_in: int, channels_out: int) -> nn.Sequential:
    """Two convolutions, each with normalisation and GELU; the first halves the side."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(channels_out),
        nn.GELU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.GELU(),
    )


class Cifar10CNN(nn.Module):
    """A small classifier of 32x32 colour images (865,000 parameters) that also returns the averages of two stages."""

    num_features = 192
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.trunk = nn.Sequential(nn.GELU(), _stage(24, 64), _stage(64, 192), _stage(192, 128))
        self.head = nn.Linear(128, self.num_classes)

    def forward(self, x: Float[Tensor, "n 3 32 32"]) -> tuple[Float[Tensor, "n 192"], Float[Tensor, "n 10"]]:
        """Compute features and logits of images.

        Args:
            x: RGB images in [-1, 1].

        Returns:
            Features (at least -0.17, unbounded above) and unnormalised class log-probabilities.
        """
        first = self.trunk[:2](self.whiten(x))
        texture, content = (h.mean(dim=(2, 3)) for h in (first, self.trunk[2:](first)))
        return torch.cat([texture, content], dim=1), self.head(content)
