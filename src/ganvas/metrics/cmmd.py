r"""CMMD: the squared maximum mean discrepancy of features of length 1 under a Gaussian kernel, times 1000.

.. math:: 1000 \, \Big( \frac{1}{n^2} \sum_{i,j} k(x_i, x_j) + \frac{1}{m^2} \sum_{i,j} k(y_i, y_j)
    - \frac{2}{nm} \sum_{i,j} k(x_i, y_j) \Big), \qquad k(x, y) = \exp \frac{- \lVert x - y \rVert^2}{2 \sigma^2}

with features x of real images and y of generated ones. The diagonal is kept: the estimate has less variance than the
unbiased one, and is biased upwards by at most :math:`1000 (1 - e^{-2 / \sigma^2}) (1 / n + 1 / m)`, with the authors'
:math:`\sigma = 10` about 20 / n on each side. Unlike the Fréchet distance it assumes no normal distribution.
The authors define it on CLIP (``extractor=clip``); values on other extractors are not comparable with theirs.

The standard error over generated images is first order, from the influence of an image y on the distance,
:math:`2000 \, ( \frac1m \sum_j k(y, y_j) - \frac1n \sum_i k(y, x_i) )`, with the reference held fixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import FEATURES, Score, Setting, feature_metric
from ganvas.metrics.neighbours import BLOCK_BYTES, squared_distances
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison

SCALE: Final = 1000
"""Factor that makes the values readable, as in the authors' code."""


def unit_length(features: Float[Tensor, "n d"]) -> Float64[Tensor, "n d"]:
    """Divide each row by its length, in float64; a row of zeros stays."""
    return torch.nn.functional.normalize(features.double(), dim=1)


def mean_kernel(x: Float64[Tensor, "n d"], y: Float64[Tensor, "m d"], sigma: float) -> Float64[Tensor, " n"]:
    """Average the Gaussian kernel of each row of ``x`` with all rows of ``y``.

    Args:
        x: features.
        y: features.
        sigma: width of the kernel, above 0.
    """
    blocks = squared_distances(x, y, 0.0, BLOCK_BYTES)
    return torch.cat([block.mul_(-0.5 / sigma**2).exp_().mean(dim=1) for _, block in blocks])


def cmmd(
    real: Float64[Tensor, "n d"], fake: Float64[Tensor, "m d"], *, sigma: float, within_real: float
) -> tuple[float, float]:
    """Compute CMMD and its standard error over generated images.

    Reference: Jayasumana et al. 2024, section 4, https://arxiv.org/abs/2401.09603; the estimator is that of Gretton et
    al. 2012, equation 5, https://jmlr.org/papers/v13/gretton12a.html.

    Args:
        real: features of real images, of length 1.
        fake: features of generated images, of length 1, m at least 2.
        sigma: width of the kernel, above 0.
        within_real: mean kernel of all pairs of real images.

    Returns:
        The discrepancy, 0 for equal sets, and its standard error, first order.
    """
    within, across = mean_kernel(fake, fake, sigma), mean_kernel(fake, real, sigma)
    value = SCALE * float(within_real + within.mean() - 2 * across.mean())
    return value, 2 * SCALE * float((within - across).std()) / len(fake) ** 0.5


_SIGMA = Setting("cmmd_sigma", 10.0, "width of cmmd's kernel, for features of length 1 (the authors: 10)", least=1e-3)


def _cmmd(pair: Comparison) -> Score:
    real, fake, sigma = pair.real_features("cmmd"), pair.fake, pair.settings.cmmd_sigma
    require_images("cmmd", 2, real=real.values, fake=fake.values)
    x, y = unit_length(real.values), unit_length(fake.values)
    within = real.once(("cmmd", sigma), lambda: float(mean_kernel(x, x, sigma).mean()))
    value, error = cmmd(x, y, sigma=sigma, within_real=within)
    return Score(value, error, f"{fake.n} generated images, first order")


METRIC = feature_metric(
    "cmmd",
    FEATURES,
    True,
    _cmmd,
    "squared maximum mean discrepancy of features of length 1 under a Gaussian kernel (the authors: `extractor=clip`)",
    (_SIGMA,),
    sensible_n=SensibleN(
        1000,
        "the bias of CMMD, up to 20/n on each side with a width of 10, can be above 0.02, which its ± does not show",
    ),
)
