r"""One minus the multi-scale structural similarity of images.

.. math:: d = 1 - \prod_{s=1}^{S} \Big( \frac{1 + c_s}{2} \Big)^{\beta_s} \cdot
    \text{(at the coarsest scale } c_S \text{ is the whole similarity)}

with the mean contrast and structure :math:`c_s` of the images halved s - 1 times, see :mod:`ganvas.extractors.ms_ssim`.
Halves keep the powers defined where images are opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from ganvas.extractors.ms_ssim import ms_ssim
from ganvas.objectives.reconstruction_losses.base import ReconstructionLoss


@final
@dataclass(frozen=True)
class MultiScaleSSIM(ReconstructionLoss):
    """Similarity of structure at several scales, by torchmetrics.

    Reference:
        Wang et al. 2003, equation 7, https://doi.org/10.1109/ACSSC.2003.1292216; as a loss of autoencoders: Snell et
        al. 2017, section 3, https://arxiv.org/abs/1511.06409; with absolute differences: Zhao et al. 2017, eq. 13,
        https://arxiv.org/abs/1511.08861
    """

    def distance(self, x: Float[Tensor, "n c h w"], decoded: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Compute the distance, see :meth:`ReconstructionLoss.distance`."""
        return 1 - ms_ssim(decoded, x, "simple", "likelihood=ms_ssim")
