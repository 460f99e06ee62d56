r"""Convolutions whose weights a style scales, example by example, and the layers of StyleGAN2's synthesis made of them.

.. math::
    w'_{ijk} = s_i\, w_{ijk}, \qquad w''_{ijk} = w'_{ijk} \Big/ \sqrt{\textstyle\sum_{i,k} {w'_{ijk}}^2 + 10^{-8}},

for input channel i, output channel j and place k; the style :math:`s = A(w)` is an affine map. The second step, the
demodulation, brings every output back to the scale of the inputs. A convolution is linear, so that scaling its input by
:math:`s_i` and its output by the square root is the same; on a CPU this takes half the time of a convolution with a
group for each example, which has weights of its own.

Reference: Karras et al. 2020, section 2.2, https://arxiv.org/abs/1912.04958
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks import equalised
from ganvas.networks.resampling import Enlarge, Filter


class ModulatedConvolution(nn.Module):
    """A convolution with an equalised learning rate, modulated and demodulated by a style.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: height and width of the kernel, pixels, odd.
        style_dim: dimension of the latents w.
        demodulate: whether to bring the outputs back to the scale of the inputs.
        enlarge: whether to double height and width; zeros are put between the pixels, and the result is filtered.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, style_dim: int, *, demodulate: bool = True, enlarge: bool = False
    ) -> None:
        super().__init__()
        self.affine = equalised.linear(style_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / sqrt(inputs * kernel**2)
        self.demodulate = demodulate
        self.blur = Filter(stride=1, padding=1, gain=4.0) if enlarge else None

    def forward(self, x: Float[Tensor, "n c h w"], w: Float[Tensor, "n d"]) -> Float[Tensor, "n k a b"]:
        """Convolve images, each with its own weights."""
        style, weight = self.affine(w), self.weight * self.scale
        y = self._convolve(x * style[:, :, None, None], weight)
        if not self.demodulate:
            return y
        norms = style.square() @ weight.square().sum(dim=(2, 3)).T
        return y * (norms + 1e-8).rsqrt()[:, :, None, None]

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        if self.blur is None:
            return F.conv2d(x, weight, padding=weight.shape[2] // 2)
        return self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))


class StyledLayer(nn.Module):
    r"""A modulated convolution, noise, a bias, and a leaky rectifier: :math:`\sqrt 2\, a(y + \beta n + b)`.

    The noise gives places details that no latent holds. In training it is drawn anew for each image. In evaluation it
    is one fixed picture, drawn with the initial weights and saved with them, so that an image is a function of its
    latent: equal seeds give equal images, and no image depends on its batch.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        style_dim: dimension of the latents w.
        side: height and width of the output, pixels.
        enlarge: whether the layer doubles height and width.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style_dim: int, side: int, enlarge: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, outputs, 3, style_dim, enlarge=enlarge)
        self.register_buffer("noise", torch.randn(side, side))
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Float[Tensor, "n c h w"], w: Float[Tensor, "n d"]) -> Float[Tensor, "n k a b"]:
        """Compute the layer's output."""
        y = self.convolution(x, w)
        noise = torch.randn_like(y[:, :1]) if self.training else self.noise
        return equalised.rectified(y + self.strength * noise + self.bias)


class ToImage(nn.Module):
    """A modulated 1x1 convolution to the channels of the image, with a bias.

    Args:
        inputs: channels of the grid.
        outputs: channels of the image.
        style_dim: dimension of the styles.
    """

    def __init__(self, inputs: int, outputs: int, style_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(inputs, outputs, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Float[Tensor, "n c h w"], w: Float[Tensor, "n d"]) -> Float[Tensor, "n k h w"]:
        """Make an image."""
        return self.convolution(x, w) + self.bias


class Grid(nn.Module):
    """The layers of the synthesis on one grid, and the contribution of the grid to the image.

    Args:
        inputs: channels of the grid before; 0 for the first grid, which has one layer and nothing to enlarge.
        outputs: channels.
        style_dim: dimension of the styles.
        side: height and width, pixels.
        residual: whether a shortcut is added.
        image: channels of the image; 0 if the grid does not contribute to it.
    """

    def __init__(self, inputs: int, outputs: int, style_dim: int, side: int, residual: bool, image: int) -> None:
        super().__init__()
        first = [StyledLayer(inputs, outputs, style_dim, side, enlarge=True)] if inputs else []
        self.layers = nn.ModuleList([*first, StyledLayer(outputs, outputs, style_dim, side, enlarge=False)])
        self.enlarge = Enlarge()
        self.shortcut = equalised.convolution(inputs, outputs, 1, bias=False) if inputs and residual else None
        self.end = ToImage(outputs, image, style_dim) if image else None

    def forward(self, x: Tensor, image: Tensor | None, ws: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Compute the grid and the image from those of the grid before.

        Args:
            x: the grid before, shape ``(n, inputs, h, w)``.
            image: the image before; None if no grid has contributed to it.
            ws: a style for each layer and one for the image, each ``(n, style_dim)``.
        """
        h = x
        for layer, w in zip(self.layers, ws, strict=False):
            h = layer(h, w)
        if self.shortcut is not None:
            h = (self.enlarge(self.shortcut(x)) + h) * sqrt(0.5)
        if self.end is None:
            return h, image
        added = self.end(h, ws[-1])
        return h, added if image is None else self.enlarge(image) + added
