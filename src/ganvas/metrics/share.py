r"""A share of independent examples, with Wilson's interval for the probability behind it.

.. math:: \frac{\hat p + z^2 / 2 n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4 n^2}}{1 + z^2 / n}, \qquad z = 1

With z = 1 the interval is one standard error wide on each side, as those of the other scores. It stays within [0, 1],
and has a width where all or no examples count.
"""

from __future__ import annotations

import math

from jaxtyping import Bool
from scipy.stats import binomtest
from torch import Tensor

from ganvas.metrics.base import Score

LEVEL = math.erf(math.sqrt(0.5))
"""Probability of one standard error on each side, 0.683."""


def share(counted: Bool[Tensor, " n"], over: str) -> Score:
    """Compute the share of true values; ``sd`` is half the width of the interval.

    Reference: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.

    Args:
        counted: whether each example counts, at least one example.
        over: name of the examples, as in ``1000 generated images``.
    """
    return share_of(int(counted.sum()), len(counted), over)


def share_of(hits: int, n: int, over: str) -> Score:
    """Compute the share of ``hits`` among ``n`` examples; see :func:`share`.

    Args:
        hits: number of examples that count, in [0, n].
        n: number of examples, at least 1.
        over: name of the examples.
    """
    found = binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    low, high = float(found.low), float(found.high)
    return Score(hits / n, (high - low) / 2, f"{n} {over}, Wilson", (low, high))
