r"""Draws in groups: the mean of several importance weighted bounds, with the same draws in smaller groups.

.. math:: \mathcal{L}_{M, K} = \frac1M \sum_{m=1}^{M} \log \frac1K \sum_{i=1}^{K} w_{m,i}, \qquad M K = k.

For :math:`M = 1` it is the bound of all k draws, for :math:`K = 1` the ELBO.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ganvas.objectives.bounds.base import require_samples
from ganvas.objectives.bounds.importance import iwae_bound
from ganvas.objectives.validation import require


def grouped_bound(log_w: Float[Tensor, "k n"], groups: int) -> Float[Tensor, ""]:
    r"""Compute :math:`\mathcal{L}_{M, K}`, mean over the images.

    Args:
        log_w: log weights, nats.
        groups: :math:`M`, a divisor of k.
    """
    return iwae_bound(_columns(log_w, groups)).mean()


def grouped_shares(log_w: Float[Tensor, "k n"], groups: int) -> Float[Tensor, "k n"]:
    r"""Compute the weight of each draw in the gradient, :math:`\frac1M w_{m,i} / \sum_j w_{m,j}`; over k they sum to 1.

    Args:
        log_w: log weights, nats.
        groups: :math:`M`, a divisor of k.
    """
    return _columns(log_w, groups).softmax(dim=0).reshape(log_w.shape) / groups


def _columns(log_w: Float[Tensor, "k n"], groups: int) -> Float[Tensor, "d m"]:
    """Move the groups to the images, so that a column holds the draws of one group for one image."""
    return log_w.reshape(len(log_w) // groups, -1)


def require_groups(samples: int, groups: int) -> None:
    """Check that the draws can be divided among the groups.

    Raises:
        ValueError: ``samples`` is below 1, or ``groups`` does not divide it.
    """
    require_samples(samples)
    divides = groups >= 1 and samples % groups == 0
    require(divides, "groups", groups, f"a divisor of samples={samples}", "Use 8 groups of 64 samples.")
