r"""The article's discriminator: two strided convolutions with leaky ReLU and dropout, then one linear unit.

The article's generator and its variational autoencoder are fully connected and come from :mod:`ganvas.networks.mlp`.
The article's "same" padding with a 3x3 kernel at stride two gives :math:`\lceil n / 2 \rceil`, and so does padding 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from ganvas.networks.critic import FeatureCritic
from ganvas.networks.init import Initialiser, initialise
from ganvas.networks.shapes import image_shape


class Critic(FeatureCritic):
    """Critic with one score for each example.

    Args:
        shape: channels, height and width of one image; any size.
        channels: widths of the strided convolutions, image side first.
        slope: slope of the leaky ReLU below zero.
        dropout: probability of dropping an activation after each convolution, in [0, 1).
        init: fills each weight in place; biases start at 0.

    Raises:
        ValueError: the data are points, or ``channels`` is empty.
    """

    def __init__(
        self, shape: Sequence[int], channels: Sequence[int], slope: float, dropout: float, init: Initialiser
    ) -> None:
        super().__init__()
        self.shape = image_shape("article", shape)
        inputs, height, width = self.shape
        if not channels:
            raise ValueError(
                "network 'article': argument `channels` is empty. Fix: give one width for each convolution."
            )
        stack: list[nn.Module] = []
        for outputs in channels:
            stack += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(slope), nn.Dropout(dropout)]
            inputs, height, width = outputs, -(-height // 2), -(-width // 2)
        self.body = nn.Sequential(*stack)
        self.output = nn.Linear(inputs * height * width, 1)
        initialise(self, init)

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Compute the activations of the last convolution."""
        return self.body(x).flatten(1)
