r"""The 2015 Inception made faster on a processor: batch norms in the convolutions, channels last, mostly bfloat16.

A batch norm of fixed statistics is part of the convolution before it,

.. math:: \gamma \frac{w * x - \mu}{\sqrt{v + \epsilon}} + \beta = w' * x + b', \qquad
    w' = \frac{\gamma w}{\sqrt{v + \epsilon}}, \quad b' = \beta - \frac{\gamma \mu}{\sqrt{v + \epsilon}},

computed in float64. The first layers stay in float32: their rounding errors pass all later layers, and they are cheap.
The pooling over the image is in float32 too. Features differ from those of float32, so ``DESCRIPTION`` is part of a
score's protocol.

Reference: Jacob et al. 2018, section 3.2, equation 14, https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d

FIRST: Final = "Conv2d_4a_3x3"
"""The first layer in bfloat16."""
LAST: Final = "AvgPool"
"""The layer that is in float32 again."""
DESCRIPTION: Final = f"batch norms folded into convolutions; bfloat16 from {FIRST} to the pooling over the image"


@final
class FoldedConv(nn.Module):
    """A convolution that contains the batch norm behind it, and ReLU.

    Args:
        block: convolution without bias, batch norm and ReLU.
    """

    def __init__(self, block: BasicConv2d) -> None:
        super().__init__()
        norm, weight = block.bn, block.conv.weight.double()
        scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        bias = norm.bias.double() - norm.running_mean.double() * scale
        self.weight = nn.Parameter((weight * scale.view(-1, 1, 1, 1)).float(), requires_grad=False)
        self.bias = nn.Parameter(bias.float(), requires_grad=False)
        self.stride, self.padding = block.conv.stride, block.conv.padding

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        """Convolve, add the bias, and set what is negative to zero."""
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding).relu_()


@final
class Cast(nn.Module):
    """Changes the numbers and the order in memory of what passes.

    Args:
        dtype: type of the numbers.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the same values, rounded to the type, with channels last."""
        return x.to(self.dtype, memory_format=torch.channels_last)


def make_fast(network: nn.Module, layers: tuple[str, ...]) -> None:
    """Change torch-fidelity's Inception in place.

    Args:
        network: the network in float32.
        layers: names of its layers, from the resized image to the features.
    """
    for name, block in [*network.named_modules()]:
        if isinstance(block, BasicConv2d):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, FoldedConv(block))
    network.to(memory_format=torch.channels_last)
    for name in layers[layers.index(FIRST) : layers.index(LAST)]:
        network.get_submodule(name).to(torch.bfloat16)
    for name, dtype in ((layers[0], torch.float32), (FIRST, torch.bfloat16), (LAST, torch.float32)):
        setattr(network, name, nn.Sequential(Cast(dtype), network.get_submodule(name)))
