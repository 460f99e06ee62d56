r"""Holm's correction: among many comparisons, at most 5% chance of even one false 'different'.

With the p-values in rising order :math:`p_{(1)} \le \dots \le p_{(m)}`, the adjusted ones are

.. math:: \tilde p_{(i)} = \max_{j \le i} \min\{1, (m - j + 1)\, p_{(j)}\}.

Reference: Holm, "A simple sequentially rejective multiple test procedure" (Scand. J. Statist. 1979). It holds whatever
the dependence of the tests, which share configurations here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted p-values.

    Args:
        p_values: of all comparisons made, each in [0, 1]; NaN (could not be made) stays NaN and counts for nothing.

    Returns:
        In the order given; to be held against 0.05 as they are.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, steps * p[order]))
    return adjusted
