r"""Kernel distances with other kernels than the cubic one of :mod:`ganvas.metrics.kid`.

.. math:: k_{\mathrm{polynomial}}(x, y) = \Big( s \frac{x^\top y}{d} + c \Big)^p, \qquad
    k_{\mathrm{Gaussian}}(x, y) = \exp \frac{- \lVert x - y \rVert^2}{2 \sigma^2}

with the same unbiased estimate over the same subsets. With p = 1 the distance is that of the means, with p = 2 that of
means and second moments; p = 3, s = 1, c = 1 is ``kid``. The Gaussian kernel is characteristic: in the limit of many
images the distance is 0 for equal distributions only. Its width is in units of the extractor's features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.metrics.base import FEATURES, SEED, Score, Setting, feature_metric
from ganvas.metrics.kid import SIZE, SUBSETS, subset_score

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison

_DEGREE = Setting("kid_degree", 2, "degree p of kid_polynomial's kernel (kid: 3)", least=1)
_SLOPE = Setting("kid_slope", 1.0, "factor s of the inner product divided by d in kid_polynomial (kid: 1)", least=1e-6)
_OFFSET = Setting("kid_offset", 1.0, "constant c in kid_polynomial's kernel (kid: 1)", least=0)
_SIGMA = Setting("kid_sigma", 10.0, "width of kid_gaussian's kernel, feature units (torch-fidelity: 10)", least=1e-6)


def _polynomial(pair: Comparison) -> Score:
    s, d = pair.settings, pair.fake.values.shape[1]
    kernel = {
        "kid_kernel_poly_degree": s.kid_degree,
        "kid_kernel_poly_gamma": s.kid_slope / d,
        "kid_kernel_poly_coef0": s.kid_offset,
    }
    return subset_score(pair, "kid_polynomial", kernel)


def _gaussian(pair: Comparison) -> Score:
    return subset_score(pair, "kid_gaussian", {"kid_kernel": "rbf", "kid_kernel_rbf_sigma": pair.settings.kid_sigma})


METRICS = (
    feature_metric(
        "kid_polynomial",
        FEATURES,
        True,
        _polynomial,
        "unbiased kernel distance with a polynomial kernel of another degree",
        (_DEGREE, _SLOPE, _OFFSET, SUBSETS, SIZE, SEED),
        in_blocks=True,
    ),
    feature_metric(
        "kid_gaussian",
        FEATURES,
        True,
        _gaussian,
        "unbiased kernel distance with a Gaussian kernel",
        (_SIGMA, SUBSETS, SIZE, SEED),
        in_blocks=True,
    ),
)
