r"""Peak signal-to-noise ratio of reconstructions, in dB, the mean over images.

.. math:: 10 \log_{10} \frac{1}{\mathrm{MSE}}, \qquad \mathrm{MSE} = \frac{1}{chw} \sum (\hat x - x)^2

for pixels in [0, 1]. The mean of the ratios is at least the ratio of the mean error, which some programs report.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import RECONSTRUCTIONS, Material, Measured, Metric
from ganvas.metrics.reconstruction import COUNT, KIND, measured


def psnr(made: Float[Tensor, "n c h w"], true: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Compute the ratio of each image, dB, by torchmetrics; infinite for an image with itself.

    Args:
        made: images in [0, 1].
        true: the images that they should be, in [0, 1].
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(made, true, 1.0, reduction="none", dim=(1, 2, 3))


def _psnr(material: Material) -> Measured:
    def finite(made: Tensor, true: Tensor) -> Tensor:
        ratios = psnr(made, true)
        if exact := int(ratios.isinf().sum()):
            raise ValueError(
                f"metrics: psnr is infinite for {exact} of {len(ratios)} images, which {material.subject} reconstructs "
                "exactly; write metrics=[ssim]"
            )
        return ratios

    return measured(material, "psnr", finite)


METRIC = Metric(
    "psnr",
    RECONSTRUCTIONS,
    {"psnr": False},
    (COUNT,),
    1,
    _psnr,
    "peak signal-to-noise ratio of the reconstructions of held-out images, dB",
    KIND,
)
