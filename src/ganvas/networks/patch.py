r"""A critic of patches: it gives a score to each overlapping patch of an image, and sees no more of the image in it.

A 4x4 convolution of stride 2 for each width in ``channels``, leaky ReLU between them, then a 4x4 convolution of stride
1 to one channel, whose places are the scores. With two widths a score sees 22x22 pixels.

Reference: Isola et al. 2017, section 3.2.2, https://arxiv.org/abs/1611.07004; the authors' program has one more stage
of stride 1 before the scores.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import halvings, image_shape

NAME = "patch"
LEAK = 0.2


class Critic(nn.Module):
    """Critic with a score for each patch; the scores of an image stand one after the other.

    Args:
        shape: channels, height and width of one image; each side at least ``2 ** (len(channels) + 1)`` pixels.
        channels: widths of the stride-two stages, finest grid first.
        batch_norm: whether every stage except the first is normalised, as in the paper.
        init: fills each weight in place; biases start at 0.

    Attributes:
        patches: number of scores of an image.

    Raises:
        ValueError: the data are points, or the image is too small for the stages.
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], batch_norm: bool, init: Initialiser) -> None:
        super().__init__()
        height, width = halvings(NAME, shape, len(channels) + 1)[-2]  # the last convolution needs a side of 2
        self.shape = image_shape(NAME, shape)
        self.patches = (height - 1) * (width - 1)
        stack: list[nn.Module] = [nn.Conv2d(self.shape[0], channels[0], 4, 2, 1), nn.LeakyReLU(LEAK)]
        for inputs, outputs in zip(channels, channels[1:], strict=False):
            stack.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not batch_norm))
            stack += [nn.BatchNorm2d(outputs), nn.LeakyReLU(LEAK)] if batch_norm else [nn.LeakyReLU(LEAK)]
        self.body = nn.Sequential(*stack)
        self.output = nn.Conv2d(channels[-1], 1, 4, 1, 1)
        initialise(self, init)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, " m"]:
        """Score patches; there are ``m = n * patches``."""
        return self.output(self.body(x)).flatten()
