r"""The distance of images in the features of a network that knows photographs, LPIPS.

.. math:: d = \sum_l \frac{1}{h_l w_l} \sum_p \sum_c w_{lc} \big( y_{lcp} - \hat y_{lcp} \big)^2,

see :mod:`ganvas.extractors.perceptual`. The network stays as it is; gradients go through it to the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.extractors.perceptual import Perceptual
from ganvas.objectives.reconstruction_losses.base import ReconstructionLoss


@final
@dataclass(frozen=True)
class PerceptualLoss(ReconstructionLoss):
    """Distance in the features of a network of torchvision.

    Reference:
        Zhang et al. 2018, equation 1, https://arxiv.org/abs/1801.03924; features as the loss of a VAE: Hou et al. 2017,
        section 3.2, https://arxiv.org/abs/1610.00291; with absolute differences of pixels: Esser et al. 2021

    Args:
        net: ``alex``, ``vgg`` or ``squeeze``.
        weights: path of torchvision's state dict of the network; empty downloads it.
    """

    net: str
    weights: str

    def distance(self, x: Float[Tensor, "n c h w"], decoded: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute the distance, see :meth:`ReconstructionLoss.distance`.

        Raises:
            ValueError: there is no such network, its file does not hold its weights, or it cannot read the images.
            WeightsError: the download failed.
        """
        return _network(self.net, self.weights).to(x.device)(decoded, x)


@lru_cache(maxsize=1)
def _network(net: str, weights: str) -> Perceptual:
    """Load the network once: it is no part of the model, and stands in no checkpoint."""
    return Perceptual(net, weights, "likelihood")
