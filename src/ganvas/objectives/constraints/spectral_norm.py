r"""Spectral normalisation: every layer's weight is divided by its largest singular value.

.. math:: \bar W = W / \sigma(W), \qquad \sigma(W) = \max_{\|h\|_2 \le 1} \|W h\|_2,

where :math:`\sigma(W)` is estimated by power iteration, with one or a few steps at each forward pass in training. For a
convolution, :math:`W` is the kernel as a matrix with ``out_channels`` rows. A critic of such layers with 1-Lipschitz
activations is Lipschitz, unless it contains a normalisation layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrizations

from ganvas.objectives.constraints.base import Reparametrisation
from ganvas.objectives.validation import require


def has_spectral_norm(layer: nn.Module) -> bool:
    """Whether the layer's weight has torch's spectral norm; another parametrisation, such as weight norm, is False."""
    return any(isinstance(module, parametrizations._SpectralNorm) for module in layer.modules())


@final
@dataclass(frozen=True)
class SpectralNorm(Reparametrisation):
    r"""SN-GAN's constraint: :math:`W / \sigma(W)` in every linear and convolutional layer and embedding of the critic.

    Layers that are already spectrally normalised stay as they are. The state dict of a normalised layer holds
    ``parametrizations.weight.original`` in place of ``weight``.

    Reference:
        Miyato et al. 2018, eq. 8 and algorithm 1, https://arxiv.org/abs/1802.05957

    Args:
        n_power_iterations: steps of power iteration at each forward pass, at least 1.

    Raises:
        ValueError: ``n_power_iterations`` is below 1.
    """

    n_power_iterations: int
    lipschitz: ClassVar[bool] = True

    def __post_init__(self) -> None:
        steps = self.n_power_iterations
        require(steps >= 1, "n_power_iterations", steps, "an integer of at least 1", "Use 1, the paper's.")

    def prepare(self, critic: nn.Module) -> None:
        """Normalise every linear and convolutional layer and every embedding, in place.

        Raises:
            ValueError: the network has no such layer, or one whose weight is 0.
        """
        layers = [module for module in critic.modules() if isinstance(module, (nn.Linear, nn.Embedding, _ConvNd))]
        require(
            len(layers) > 0,
            "critic",
            type(critic).__name__,
            "a network with linear or convolutional layers",
            "Choose another network, or another constraint than spectral_norm.",
        )
        plain = [layer for layer in layers if not has_spectral_norm(layer)]
        require(
            all(layer.weight.any() for layer in plain),
            "critic",
            type(critic).__name__,
            "a network without layers that start at 0, which have no singular value to divide by",
            "Write constraint=r1_r2, as R3GAN's authors do, or choose another network.",
        )
        for layer in plain:
            parametrizations.spectral_norm(layer, n_power_iterations=self.n_power_iterations)
