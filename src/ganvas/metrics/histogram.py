r"""KL divergence of a histogram of classes or modes from a reference histogram.

.. math:: \mathrm{KL}(\hat p \,\|\, q) = \sum_k \hat p_k \log \frac{\hat p_k}{q_k}, \qquad \hat p_k = n_k / n

The divergence of a finite sample is above zero even if the sample is drawn from q; :func:`sampling_floor` computes its
expected value.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.stats import binom
from torch import Tensor


def histogram_kl(counts: Int64[Tensor, " k"], reference: Int64[Tensor, " k"]) -> float:
    r"""KL divergence of one histogram from another.

    .. math:: \sum_k \hat p_k \log (\hat p_k / q_k), \qquad 0 \log 0 = 0

    Reference: the reverse KL of Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086, where q is uniform.

    Args:
        counts: number of generated examples of each class.
        reference: number of reference examples of each class, with any total; all ones for the uniform.

    Returns:
        Divergence in nats; infinite if a generated class is missing in the reference, or if all counts are 0.

    Raises:
        ValueError: all counts of the reference are 0.
    """
    if int(reference.sum()) == 0:
        raise ValueError(f"reference: expected some counts, got none in {len(reference)} classes; count a data set")
    if int(counts.sum()) == 0:
        return math.inf
    p, q = _shares(counts), _shares(reference)
    return float(torch.xlogy(p, p / q).nan_to_num(nan=0.0, posinf=math.inf).sum().clamp(min=0))


def sampling_floor(n: int, modes: int) -> tuple[float, float]:
    r"""Expected divergence from the uniform of n draws from the uniform.

    .. math:: \mathbb{E}\,\mathrm{KL} = K \sum_{j=1}^{n} \mathrm{Bin}(j; n, 1/K) \frac{j}{n} \log \frac{j K}{n}, \qquad
        \mathrm{sd} \approx \frac{\sqrt{2 (K - 1)}}{2 n}

    The mean is exact; the deviation is that of :math:`2 n \mathrm{KL} \sim \chi^2_{K-1}` (Wilks 1938), a good
    approximation if n is several times K.

    Args:
        n: number of draws, at least 1.
        modes: K, at least 1.

    Returns:
        Mean and standard deviation, in nats.

    Raises:
        ValueError: an argument is below 1.
    """
    if n < 1 or modes < 1:
        raise ValueError(f"n={n}, modes={modes}: expected at least 1 each; pass the number of samples and of modes")
    j = np.arange(1, n + 1)
    mean = modes * np.sum(binom.pmf(j, n, 1 / modes) * (j / n) * np.log(j * modes / n))
    return max(0.0, float(mean)), math.sqrt(2 * (modes - 1)) / (2 * n)


def _shares(counts: Int64[Tensor, " k"]) -> Float[Tensor, " k"]:
    return counts.double() / counts.sum()
