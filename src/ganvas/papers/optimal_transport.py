r"""Exact Wasserstein-1 distance of two equal-sized samples, by optimal assignment.

.. math:: W_1(\hat P, \hat Q) = \min_{\pi} \frac1n \sum_{i=1}^n \lVert x_i - y_{\pi(i)} \rVert_2

Reference: Villani 2009, Optimal Transport, introduction (discrete transport is an assignment); solved by
``scipy.optimize.linear_sum_assignment``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def wasserstein1(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"]) -> float:
    """Compute the distance of two samples; on average it is larger than the distance of their distributions."""
    # The expanded square would lose digits for points that are close to each other.
    cost = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist").numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())
