r"""Fréchet distance between two sets of features, each summarised by a Gaussian.

.. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
    + \operatorname{tr} \big( \Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2} \big)

with unbiased covariances. On one-dimensional features this is :math:`(m_1 - m_2)^2 + (s_1 - s_2)^2`. On the 2015
Inception it is the Fréchet Inception Distance. It is biased upwards at finite n, so that numbers at different n do not
compare.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from ganvas.metrics.validation import require_images


def frechet_distance(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> float:
    r"""Fréchet distance by torch-fidelity's functions, moments in float64.

    .. math:: \lVert \mu_1 - \mu_2 \rVert^2 + \operatorname{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})

    Reference: Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500.

    Args:
        real: features of real images, n at least 2.
        fake: features of generated images, m at least 2.

    Returns:
        The squared distance, 0 for equal moments, in squared feature units.

    Raises:
        ValueError: fewer than 2 images a side, or features that are not finite.
    """
    require_images("the Fréchet distance", 2, real=real, fake=fake)
    moments = [fid_features_to_statistics(x.double()) for x in (real, fake)]
    # One feature: numpy's covariance is a scalar, torch-fidelity wants a matrix.
    moments = [{"mu": m["mu"], "sigma": m["sigma"].reshape(real.shape[1], real.shape[1])} for m in moments]
    return fid_statistics_to_metric(moments[0], moments[1], verbose=False)[KEY_METRIC_FID]
