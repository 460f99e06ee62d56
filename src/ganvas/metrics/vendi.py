r"""Vendi Score: the effective number of different samples.

.. math:: \exp \Big( - \sum_k \lambda_k \log \lambda_k \Big), \qquad
    \lambda \text{ the eigenvalues of } \frac1m \big( k(y_i, y_j) \big)_{ij}, \qquad
    k(y, y') = \frac{y^\top y'}{\lVert y \rVert \lVert y' \rVert}

It is 1 if all samples have the same direction in feature space, and m if all are orthogonal. With features of length 1
the same eigenvalues are those of :math:`\rho = \frac1m \sum_i y_i y_i^\top`, so that the smaller of the two matrices is
decomposed. The score knows no reference: noise is diverse too. Compare it with the floor, the value of real images, and
read it beside a score of quality.

The standard error over generated images is first order, from the influence of a sample on the logarithm of the score,
:math:`- y^\top (\log \rho) \, y` up to a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import SAMPLE_FEATURES, Score, feature_metric
from ganvas.metrics.cmmd import unit_length
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def vendi(features: Float[Tensor, "m d"]) -> tuple[float, float]:
    """Compute the Vendi Score with the cosine kernel, and its standard error over the images.

    Reference: Friedman and Dieng 2023, definition 3.1, https://arxiv.org/abs/2210.02410; the smaller matrix: section 3.

    Args:
        features: features of generated images, m at least 2.

    Returns:
        The score in [1, min(m, d)], and its standard error, first order.

    Raises:
        ValueError: there are too few images, or features are not finite.
    """
    require_images("the Vendi Score", 2, fake=features)
    y = unit_length(features)
    surprises = _surprises(y)
    value = surprises.mean().exp()
    return float(value), float(value * surprises.std() / len(y) ** 0.5)


def _surprises(y: Float64[Tensor, "m d"]) -> Float64[Tensor, " m"]:
    r"""Compute :math:`- y_i^\top (\log \rho) \, y_i` of each row; their mean is the entropy of the eigenvalues."""
    m, d = y.shape
    if m < d:
        values, vectors = torch.linalg.eigh(y @ y.T / m)
        # The row i has the coordinate sqrt(m lambda_k) u_ik along the eigenvector k of rho.
        return -m * (vectors.square() @ torch.xlogy(values.clamp(min=0), values.clamp(min=0)))
    values, vectors = torch.linalg.eigh(y.T @ y / m)
    kept = values > 0
    return -((y @ vectors[:, kept]).square() @ values[kept].log())


def _vendi(pair: Comparison) -> Score:
    value, error = vendi(pair.fake.values)
    return Score(value, error, f"{pair.fake.n} generated images, first order")


METRIC = feature_metric(
    "vendi",
    SAMPLE_FEATURES,
    False,
    _vendi,
    "Vendi Score: effective number of different samples by the cosine kernel; it knows no reference, and noise is "
    "diverse too",
    sensible_n=SensibleN(
        1,
        "a Vendi Score is at most n, and far below its value at more images, which its ± does not show",
        per="feature",
    ),
)
