r"""The classifier behind the embedded extractor: five convolutions, a global average, one linear layer.

.. math:: f(x) = \operatorname{avg}_{3 \times 3} h_5(x) \in \mathbb{R}^{128}, \qquad
    \ell(x) = W f(x) + b \in \mathbb{R}^{10},

where every :math:`h_i` is convolution, batch normalisation, rectifier. The Fréchet and kernel distances are computed
from the features :math:`f`, the Inception Score from the logits :math:`\ell`. The trained weights are written by
``scripts/train_extractor.py`` and shipped in the folder ``weights``.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


def _block(channels_in: int, channels_out: int, kernel: int, *, stride: int, padding: int) -> nn.Sequential:
    """Convolution, batch normalisation, rectifier."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class MnistCNN(nn.Module):
    """A small digit classifier (390,000 parameters) that also returns its penultimate layer."""

    num_features = 128
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            _block(1, 32, 5, stride=2, padding=2),
            _block(32, 64, 3, stride=2, padding=1),
            _block(64, 128, 3, stride=1, padding=1),
            _block(128, 128, 3, stride=1, padding=0),
            _block(128, 128, 3, stride=1, padding=0),
        )
        self.head = nn.Linear(self.num_features, self.num_classes)

    def forward(self, x: Float[Tensor, "n 1 28 28"]) -> tuple[Float[Tensor, "n 128"], Float[Tensor, "n 10"]]:
        """Compute penultimate features and logits of images.

        Args:
            x: digits in [-1, 1], background -1.

        Returns:
            Features (non-negative, unbounded) and unnormalised class log-probabilities.
        """
        features = self.trunk(x).mean(dim=(2, 3))
        return features, self.head(features)
