r"""Density of real images around generated ones, and coverage: share of real images with a generated one nearby.

.. math:: \mathrm{density} = \frac1{km} \sum_j \sum_i 1 [ y_j \in B(x_i, r_k(x_i)) ], \qquad
    \mathrm{coverage} = \frac1n \sum_i 1 \big[ \exists j : y_j \in B(x_i, r_k(x_i)) \big]

with open balls around the real images x only, so that outliers among the generated y have no influence on the balls.
For equal distributions the expected density is 1; a density may exceed 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.metrics.base import FEATURES, Score, Setting, feature_metric
from ganvas.metrics.mean_error import MeanError, mean_error
from ganvas.metrics.neighbours import Membership
from ganvas.metrics.precision_recall import share, share_reached

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def density(found: Membership, neighbours: int) -> MeanError:
    r"""Mean number of real balls that contain a generated image, divided by k.

    .. math:: \frac1{km} \sum_j \sum_i 1 [ y_j \in B(x_i, r_k(x_i)) ]

    Reference: Naeem et al. 2020, section 3, https://arxiv.org/abs/2002.09797.

    Args:
        found: membership of both sides.
        neighbours: the k that ``found`` was computed with.

    Returns:
        Density, 0 or more, and its standard error over the generated images with the real balls held fixed.
    """
    return mean_error(found.real_balls.double() / neighbours)


def coverage(found: Membership) -> MeanError:
    r"""Share of real images whose ball contains a generated image.

    .. math:: \frac1n \sum_i 1 [ \exists j : y_j \in B(x_i, r_k(x_i)) ]

    Reference: Naeem et al. 2020, section 3, https://arxiv.org/abs/2002.09797.

    Returns:
        Coverage in [0, 1], and its standard error over the generated images with the real balls held fixed.
    """
    return share_reached(found.real_reached, found.reached_effect, len(found.fake_in_real))


_K = (Setting("dc_neighbours", 5, "k of density and coverage (the paper and prdc: 5)", least=1),)


def _density(pair: Comparison) -> Score:
    return share(density(pair.membership, pair.settings.dc_neighbours), "generated images, real balls held")


def _coverage(pair: Comparison) -> Score:
    return share(coverage(pair.membership), "generated images, real balls held")


METRICS = (
    feature_metric(
        "density",
        FEATURES,
        False,
        _density,
        "mean number of real neighbourhoods that contain a sample, divided by k",
        _K,
        in_blocks=True,
    ),
    feature_metric(
        "coverage", FEATURES, False, _coverage, "share of real neighbourhoods that contain a sample", _K, in_blocks=True
    ),
)
