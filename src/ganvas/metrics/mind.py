r"""MIND: the Monge Inception Distance, a multiple of the squared sliced Wasserstein distance of features.

.. math:: \mathrm{MIND} = \frac{3 d}{M} \sum_{i=1}^{M} W_2^2 \big( \{ u_i^\top x_j \}, \{ u_i^\top y_j \} \big)

with d features, random directions u of length 1, and the transport between equal numbers of projections
(:mod:`ganvas.metrics.slices`). It needs no covariance and assumes no normal distribution. Between distributions that
differ by a shift only it is three times the squared shift, in expectation over directions. The authors define it on the
2015 Inception; values on other extractors are not comparable with theirs. At finite n it is biased upwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.metrics.base import FEATURES, SEED, Score, Setting, feature_metric
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.slices import sliced_of

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison

_DIRECTIONS = Setting("mind_directions", 1000, "number of random directions of mind (torch-fidelity: 1000)", least=1)


def _mind(pair: Comparison) -> Score:
    # Reference: Berthet et al. 2026, https://arxiv.org/abs/2605.06797, as torch-fidelity's metric_mind computes it.
    found = sliced_of(pair, "mind", power=2, directions=pair.settings.mind_directions)
    factor = 3 * pair.fake.values.shape[1]
    return Score(factor * found.value, factor * found.error, f"{found.n} generated images, first order")


METRIC = feature_metric(
    "mind",
    FEATURES,
    True,
    _mind,
    "Monge Inception Distance: squared sliced Wasserstein distance of the features, times 3 d",
    (_DIRECTIONS, SEED),
    sensible_n=SensibleN(
        1000, "MIND is biased upwards, which its ± does not show (Berthet et al. find it informative from 1,000 on)"
    ),
)
