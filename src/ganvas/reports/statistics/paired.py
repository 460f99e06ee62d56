r"""Paired tests of configurations, seed by seed, and Holm's correction: effects that two runs of one seed share cancel.

For the seeds :math:`s` that both configurations finished, :math:`d_s = a_s - b_s`, and

.. math:: \bar d \pm t_{n-1,\,0.975}\; s_d / \sqrt n, \qquad p = 2\, P(T_{n-1} > |\bar d| \sqrt n / s_d).

A seed fixes the order of the data, the held-out split and the initial weights, so an easy seed is easy for both. All
pairs are computed at once, so that hundreds of configurations take milliseconds.

Holm's correction keeps the chance of even one false 'different' among many comparisons at 5%. With the p-values in
rising order :math:`p_{(1)} \le \dots \le p_{(m)}`, the adjusted ones are

.. math:: \tilde p_{(i)} = \max_{j \le i} \min\{1, (m - j + 1)\, p_{(j)}\}.

Reference: Holm, "A simple sequentially rejective multiple test procedure" (Scand. J. Statist. 1979). The correction
holds under any dependence of the tests, which share configurations here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from ganvas.sweeps.seeds import CONFIDENCE

_PART = 1_000_000
"""Pairs that are tested at once, some hundred bytes each."""


@dataclass(frozen=True)
class PairedTests:
    """Paired t tests of m pairs, as arrays of shape ``(m,)``.

    Args:
        first: index of the first configuration.
        second: index of the second configuration.
        n: number of common seeds.
        mean: mean of first minus second; NaN without a common seed.
        sd: standard deviation of the differences over seeds; NaN below 2 common seeds.
        low: lower end of the 95% interval of this one difference.
        high: upper end of the 95% interval of this one difference.
        p: two-sided p-value, not corrected; NaN below 2 common seeds.
    """

    first: np.ndarray
    second: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def paired_tests(scores: np.ndarray, pairs: np.ndarray) -> PairedTests:
    """Compute the paired t interval and test of each pair.

    Args:
        scores: ``(configurations, seeds)``; NaN for a seed that is missing or failed.
        pairs: ``(m, 2)`` indices of configurations.

    Returns:
        One entry for each pair. If all differences of a pair are equal, p is 0, or 1 if they are all 0.
    """
    first, second = np.asarray(pairs, dtype=np.intp).reshape(-1, 2).T
    table = np.asarray(scores, dtype=np.float64)
    d = table[first] - table[second]
    n = (~np.isnan(d)).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(d, axis=1) / n
        sd = np.sqrt(np.nansum((d - mean[:, None]) ** 2, axis=1) / (n - 1))
        sd[n < 2] = np.nan
        error = sd / np.sqrt(n)
        t = np.where((mean == 0) & (error == 0), 0.0, np.abs(mean) / error)
        p = 2 * stdtr(n - 1, -t)
        half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * error
    return PairedTests(first, second, n, mean, sd, mean - half, mean + half, p)


def all_pairs(n: int) -> np.ndarray:
    """Make every pair of ``n`` configurations once, the lower index first: ``(n (n - 1) / 2, 2)``."""
    return np.stack(np.triu_indices(n, k=1), axis=1)


def pairs_with(baseline: int, n: int) -> np.ndarray:
    """Pair every other of ``n`` configurations with a baseline chosen before the scores were seen: ``(n - 1, 2)``."""
    others = np.delete(np.arange(n), baseline)
    return np.stack([others, np.full(n - 1, baseline)], axis=1)


def of_best_among_all(scores: np.ndarray) -> tuple[np.ndarray, int]:
    """Adjust the p-values of the first configuration's pairs for the comparisons of all pairs.

    The first one was chosen by its scores, so its pairs alone are not the family. All p-values are computed, in parts,
    because Holm's correction needs their order; nothing else of the other pairs is kept.

    Args:
        scores: as for :func:`paired_tests`, the best configuration first.

    Returns:
        Adjusted p-values of the first configuration against each other one, and the number of tests made.
    """
    tested = np.flatnonzero((~np.isnan(scores)).sum(axis=1) >= 2)
    pairs = tested[all_pairs(len(tested))]
    parts = np.array_split(pairs, len(pairs) // _PART + 1)
    p = np.concatenate([paired_tests(scores, part).p for part in parts])
    adjusted, of_first = holm(p), pairs[:, 0] == 0
    found = np.full(len(scores) - 1, np.nan)
    found[pairs[of_first, 1] - 1] = adjusted[of_first]
    return found, int((~np.isnan(p)).sum())


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust p-values for their number.

    Args:
        p_values: p-values of all comparisons, each in [0, 1]; NaN, for a test that could not be made, stays NaN and is
            not counted.

    Returns:
        Adjusted p-values in the order given, to be compared with 0.05.
    """
    p = np.asarray(p_values, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, steps * p[order]))
    return adjusted
