r"""Precision and recall: share of generated images near real ones, and share of real images near generated ones.

.. math:: \mathrm{precision} = \frac1m \sum_j 1 \big[ y_j \in \textstyle\bigcup_i B(x_i, r_k(x_i)) \big], \qquad
    \mathrm{recall} = \frac1n \sum_i 1 \big[ x_i \in \textstyle\bigcup_j B(y_j, r_k(y_j)) \big]

with closed balls, x real and y generated. Exchanging the sides turns one into the other. A collapsed generator has high
precision and low recall. Both depend on k and on n.

The standard errors are over generated images, and the real images are held; that of recall also holds the radii of
the balls (:mod:`ganvas.metrics.design_effect`). If the reference is also drawn anew, a few hubs dominate in many
dimensions: in 1,000 dimensions the true deviation is about twice as large.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jaxtyping import Bool
from torch import Tensor

from ganvas.metrics.base import FEATURES, Score, Setting, feature_metric
from ganvas.metrics.mean_error import MeanError, mean_error
from ganvas.metrics.neighbours import Membership

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def precision(found: Membership) -> MeanError:
    r"""Share of generated images within the real manifold.

    .. math:: \frac1m \sum_j 1 [ y_j \in \textstyle\bigcup_i B(x_i, r_k(x_i)) ]

    Reference: Kynkäänniemi et al. 2019, equation 2, https://arxiv.org/abs/1904.06991.

    Returns:
        Precision in [0, 1], and its standard error over the generated images with the real balls held fixed.
    """
    return mean_error(found.fake_in_real.double())


def recall(found: Membership) -> MeanError:
    r"""Share of real images within the generated manifold.

    .. math:: \frac1n \sum_i 1 [ x_i \in \textstyle\bigcup_j B(y_j, r_k(y_j)) ]

    Reference: Kynkäänniemi et al. 2019, equation 2, https://arxiv.org/abs/1904.06991.

    Returns:
        Recall in [0, 1], and its standard error over the generated images with the radii of their balls held fixed.
    """
    return share_reached(found.real_in_fake, found.in_fake_effect, len(found.fake_in_real))


def share_reached(reached: Bool[Tensor, " n"], effect: float, n_fake: int) -> MeanError:
    """Share of real images that samples reach, and its standard error over the samples.

    Args:
        reached: whether samples reach each real image.
        effect: design effect of the share, see :mod:`ganvas.metrics.design_effect`.
        n_fake: number of samples.
    """
    independent = mean_error(reached.double())
    return MeanError(independent.mean, independent.standard_error * math.sqrt(effect), n_fake)


_K = (Setting("prc_neighbours", 3, "k of precision and recall (the paper and torch-fidelity: 3)", least=1),)


def share(found: MeanError, over: str) -> Score:
    """Make a score from a share of images; ``over`` names the images of its standard error."""
    return Score(found.mean, found.standard_error, f"{found.n} {over}")


def _precision(pair: Comparison) -> Score:
    return share(precision(pair.membership), "generated images, real balls held")


def _recall(pair: Comparison) -> Score:
    return share(recall(pair.membership), "generated images, reference and radii held")


METRICS = (
    feature_metric(
        "precision", FEATURES, False, _precision, "share of samples within the real manifold", _K, in_blocks=True
    ),
    feature_metric(
        "recall", FEATURES, False, _recall, "share of real images within the samples' manifold", _K, in_blocks=True
    ),
)
