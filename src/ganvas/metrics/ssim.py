r"""Structural similarity of reconstructions, the mean over images and places.

.. math:: \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}{(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)},
    \qquad c_1 = 0.01^2, \; c_2 = 0.03^2

with means, variances and covariance under a Gaussian window of 11 pixels and standard deviation 1.5, for pixels in
[0, 1]. The first ratio compares brightness, so that it depends on which value is black: on images in [-1, 1] the same
formula gives other numbers.

Reference: Wang et al. 2004, equation 13, https://doi.org/10.1109/TIP.2003.819861
"""

from __future__ import annotations

from typing import Final

from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import RECONSTRUCTIONS, Material, Measured, Metric
from ganvas.metrics.reconstruction import COUNT, KIND, measured

LEAST: Final = 6
"""Smallest side of an image that the window can be reflected into, pixels."""


def ssim(made: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Compute the similarity of each image, at most 1, by torchmetrics; borders are reflected.

    Args:
        made: images in [0, 1].
        true: the images that they should be, in [0, 1].

    Raises:
        ValueError: the images are too small.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    if min(true.shape[2:]) < LEAST:
        raise ValueError(f"metrics: ssim reads images of at least {LEAST}x{LEAST} pixels, got {tuple(true.shape[2:])}")
    found = structural_similarity_index_measure(made, true, reduction="none", data_range=1.0)
    assert isinstance(found, Tensor)  # it returns two tensors on request
    return found


def _ssim(material: Material) -> Measured:
    return measured(material, "ssim", ssim)


METRIC = Metric(
    "ssim",
    RECONSTRUCTIONS,
    {"ssim": False},
    (COUNT,),
    1,
    _ssim,
    "structural similarity of the reconstructions of held-out images",
    KIND,
)
