r"""Multi-scale structural similarity of images, by torchmetrics; the loss and the metric of that name share it.

.. math:: \prod_{s=1}^{S} c_s^{\beta_s} \quad \text{(at the coarsest scale } c_S \text{ is the whole similarity)}

with the mean contrast and structure :math:`c_s` of the images halved s - 1 times. The number of scales S is the largest
that the window of 11 pixels allows, at most 5: two for 28 and 32 pixels. The first S of the paper's exponents
:math:`\beta` are divided by their sum.

Reference: Wang et al. 2003, equation 7, https://doi.org/10.1109/ACSSC.2003.1292216
"""

from __future__ import annotations

from typing import Final, Literal

from jaxtyping import Float
from torch import Tensor

EXPONENTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW: Final = 11
"""Side of the Gaussian window, pixels."""


def ms_ssim(
    x: Float[Tensor, "n c h w"], y: Float[Tensor, "n c h w"], negative: Literal["relu", "simple"], reader: str
) -> Float[Tensor, " n"]:
    """Compute the similarity of pairs of images, at most 1.

    Args:
        x: images in [0, 1], of at least 11 pixels.
        y: images in [0, 1].
        negative: what keeps powers of opposite images defined: ``relu`` sets negative values to 0, ``simple`` takes
            (1 + c) / 2 for all.
        reader: what reads the images, for the message.

    Raises:
        ValueError: the images are smaller than the window.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    exponents = EXPONENTS[: scales(min(x.shape[2:]), reader)]
    betas = tuple(beta / sum(exponents) for beta in exponents)
    found: Tensor = multiscale_structural_similarity_index_measure(
        x, y, reduction="none", data_range=1.0, betas=betas, normalize=negative
    )
    return found


def scales(side: int, reader: str) -> int:
    """Compute the number of scales at which torchmetrics compares images.

    Args:
        side: smallest side of the images, pixels.
        reader: what reads the images, for the message.

    Raises:
        ValueError: the images are smaller than the window.
    """
    if side < WINDOW:
        raise ValueError(f"{reader} reads images of at least {WINDOW} pixels, got {side}; leave it out")
    return max(s for s in range(1, len(EXPONENTS) + 1) if side // max(1, s - 1) ** 2 >= WINDOW and side >= 2**s)
