r"""How far a histogram of classes or modes is from what it should be.

.. math:: \mathrm{KL}(\hat p \,\|\, q) = \sum_k \hat p_k \log \frac{\hat p_k}{q_k}, \qquad \hat p_k = n_k / n

The divergence of a finite sample is above zero even where it is drawn from q: :func:`sampling_floor` says by how much.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.stats import binom
from torch import Tensor


def histogram_kl(counts: Int64[Tensor, " k"], reference: Int64[Tensor, " k"]) -> float:
    r"""Divergence of one histogram from another.

    .. math:: \sum_k \hat p_k \log (\hat p_k / q_k), \qquad 0 \log 0 = 0

    Reference: the reverse KL of Lin et al. 2018, section 4.1, https://arxiv.org/abs/1712.04086, where q is uniform.

    Args:
        counts: how often each class was generated.
        reference: how often it is in the reference, in any total; all ones for the uniform.

    Returns:
        Nats; infinite where a class is generated that the reference does not have, or where nothing is counted.

    Raises:
        ValueError: a reference without any count.
    """
    if int(reference.sum()) == 0:
        raise ValueError(f"reference: expected some counts, got none in {len(reference)} classes; count a data set")
    if int(counts.sum()) == 0:
        return math.inf
    p, q = _shares(counts), _shares(reference)
    return float(torch.xlogy(p, p / q).nan_to_num(nan=0.0, posinf=math.inf).sum().clamp(min=0))


def sampling_floor(n: int, modes: int) -> tuple[float, float]:
    r"""Divergence from the uniform that n perfect draws show.

    .. math:: \mathbb{E}\,\mathrm{KL} = K \sum_{j=1}^{n} \mathrm{Bin}(j; n, 1/K) \frac{j}{n} \log \frac{j K}{n}, \qquad
        \mathrm{sd} \approx \frac{\sqrt{2 (K - 1)}}{2 n}

    The mean is exact; the deviation is that of :math:`2 n \mathrm{KL} \sim \chi^2_{K-1}` (Wilks 1938), close where n is
    several times K.

    Args:
        n: draws, at least 1.
        modes: K, at least 1.

    Returns:
        Mean and standard deviation, nats.

    Raises:
        ValueError: an argument below 1.
    """
    if n < 1 or modes < 1:
        raise ValueError(f"n={n}, modes={modes}: expected at least 1 each; pass the number of samples and of modes")
    j = np.arange(1, n + 1)
    mean = modes * np.sum(binom.pmf(j, n, 1 / modes) * (j / n) * np.log(j * modes / n))
    return max(0.0, float(mean)), math.sqrt(2 * (modes - 1)) / (2 * n)


def _shares(counts: Int64[Tensor, " k"]) -> Float[Tensor, " k"]:
    return counts.double() / counts.sum()
