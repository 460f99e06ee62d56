r"""The expected best score of k trials, which compares sweeps at equal budgets.

For n trials in rising order :math:`x_{(1)} \le \dots \le x_{(n)}`, the mean of the best over all subsets of k trials is

.. math:: \hat m_k = \sum_{i=1}^{n-k+1} \binom{n-i}{k-1} \Big/ \binom{n}{k} \; x_{(i)}, \qquad k \le n.

It is the unbiased estimate of the expected minimum of k independent trials (a U-statistic). Drawing with replacement
would be biased upwards, most for k near n. For uniform scores the expectation is 1 / (k + 1).

Reference: the budget curves of Lucic et al., "Are GANs created equal?" (NeurIPS 2018), section 6.2 and figure 2; the
estimator is that of Tang et al., "Showing your work doesn't always work" (ACL 2020), equation 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from ganvas.sweeps.seeds import CONFIDENCE

RESAMPLES = 2000
SEED = 0


@dataclass(frozen=True)
class Curve:
    """Expected best of k trials, for k from 1 to their number.

    Args:
        k: ``(n,)`` numbers of trials, from 1 to n.
        expected: ``(n,)`` expected best score of k trials.
        low: ``(n,)`` lower end of the 95% bootstrap interval, which is too short for k near n.
        high: ``(n,)`` upper end of the 95% bootstrap interval.
    """

    k: np.ndarray
    expected: np.ndarray
    low: np.ndarray
    high: np.ndarray


def minimum_weights(n: int) -> np.ndarray:
    """Weights ``(n, n)``: row k - 1 holds those of the sorted trials in the expected minimum of k trials."""
    i, k = np.arange(1, n + 1)[None], np.arange(1, n + 1)[:, None]
    left = np.maximum(n - i - k + 1, 0)
    log = gammaln(n - i + 1) - gammaln(k) - gammaln(left + 1) - (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    return np.where(n - i - k + 1 >= 0, np.exp(log), 0.0)


def expected_best(values: Sequence[float] | np.ndarray, lower_is_better: bool) -> Curve:
    """Compute the budget curve.

    Args:
        values: one finite score for each trial, at least one.
        lower_is_better: whether the best score is the smallest.

    Returns:
        The curve with a percentile interval over resampled trials; the same values give the same curve.
    """
    sign = 1.0 if lower_is_better else -1.0
    scores = sign * np.asarray(values, dtype=np.float64)
    n = len(scores)
    weights = minimum_weights(n)
    drawn = np.random.default_rng(SEED).choice(scores, size=(RESAMPLES, n))
    tail = 50 * (1 - CONFIDENCE)
    ends = np.percentile(np.sort(drawn, axis=1) @ weights.T, [tail, 100 - tail], axis=0)
    low, high = np.sort(sign * ends, axis=0)
    return Curve(np.arange(1, n + 1), sign * (weights @ np.sort(scores)), low, high)
