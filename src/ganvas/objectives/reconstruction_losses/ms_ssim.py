r"""One minus the multi-scale structural similarity of images.

.. math:: d = 1 - \prod_{s=1}^{S} \Big( \frac{1 + c_s}{2} \Big)^{\beta_s} \cdot
    \text{(at the coarsest scale } c_S \text{ is the whole similarity)}

with the mean contrast and structure :math:`c_s` of the images halved s - 1 times. Halves keep the powers defined where
images are opposite. The number of scales S is the largest that the window of 11 pixels allows, at most 5: two for 28
and 32 pixels. The first S of the paper's exponents :math:`\beta` are divided by their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.reconstruction_losses.base import ReconstructionLoss

EXPONENTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW: Final = 11
"""Side of the Gaussian window, pixels."""


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
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

        exponents = EXPONENTS[: scales(min(x.shape[2:]))]
        betas = tuple(beta / sum(exponents) for beta in exponents)
        similarity = multiscale_structural_similarity_index_measure(
            decoded, x, reduction="none", data_range=1.0, betas=betas, normalize="simple"
        )
        return 1 - similarity


def scales(side: int) -> int:
    """Compute the number of scales at which torchmetrics compares images.

    Args:
        side: smallest side of the images, pixels.

    Raises:
        ValueError: the images are smaller than the window.
    """
    if side < WINDOW:
        raise ValueError(
            f"likelihood=ms_ssim reads images of at least {WINDOW} pixels, got {side}; choose another likelihood"
        )
    return max(s for s in range(1, len(EXPONENTS) + 1) if side // max(1, s - 1) ** 2 >= WINDOW and side >= 2**s)
