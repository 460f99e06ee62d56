r"""Equalised learning rate: weights are drawn from N(0, 1) and scaled each time that they are used.

.. math:: \bar W = \frac{r}{\sqrt{\text{fan}_{in}}} W, \qquad \bar b = r\, b.

An optimiser that divides a gradient by its own size, such as Adam, then moves all layers at the same speed relative to
their weights; :math:`r`, the rate, makes a layer slower. The activation between such layers keeps the scale too: a
leaky rectifier times :math:`\sqrt 2`.

Reference: Karras et al. 2018, section 4.1, https://arxiv.org/abs/1710.10196
"""

from __future__ import annotations

from math import sqrt

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrize import register_parametrization

LEAK = 0.2


class Scaled(nn.Module):
    """A parameter times a number; assigning to the layer's parameter divides by it.

    Args:
        factor: the number, positive.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, parameter: Tensor) -> Tensor:
        """Scale."""
        return parameter * self.factor

    def right_inverse(self, parameter: Tensor) -> Tensor:
        """Divide."""
        return parameter / self.factor


def rectified(x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    r"""Compute :math:`\sqrt 2 \max(x, 0.2 x)`."""
    return F.leaky_relu(x, LEAK) * sqrt(2)


class Rectified(nn.Module):
    """:func:`rectified` as a layer."""

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Apply it."""
        return rectified(x)


def linear(inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0) -> nn.Linear:
    """Make a linear layer with an equalised learning rate.

    Args:
        inputs: number of inputs.
        outputs: number of outputs.
        bias: each output's bias at the start.
        rate: r, speed of the layer; 0.01 in StyleGAN's mapping network.
    """
    layer = nn.Linear(inputs, outputs)
    _equalise(layer, inputs, rate)
    nn.init.constant_(layer.bias, bias)
    if rate != 1.0:
        register_parametrization(layer, "bias", Scaled(rate))
    return layer


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int = 0, bias: bool = True
) -> nn.Conv2d:
    """Make a convolution with an equalised learning rate, whose bias starts at 0.

    Args:
        inputs: number of input channels.
        outputs: number of output channels.
        kernel: height and width of the kernel, pixels.
        stride: pixels from one window to the next.
        padding: rows and columns of zeros on each side.
        bias: whether the layer has a bias.
    """
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias)
    _equalise(layer, inputs * kernel**2, 1.0)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _equalise(layer: nn.Linear | nn.Conv2d, fan_in: int, rate: float) -> None:
    # The parameter starts at N(0, 1 / rate^2), as in the authors' program, so that the layer is scaled as any other.
    nn.init.normal_(layer.weight, 0.0, 1 / sqrt(fan_in))
    register_parametrization(layer, "weight", Scaled(rate / sqrt(fan_in)))
