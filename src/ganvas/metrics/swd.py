r"""Sliced Wasserstein distance of features: the mean over random directions of the distance along each.

.. math:: \mathrm{SWD} = \frac1M \sum_{i=1}^{M} W_1 \big( \{ u_i^\top x_j \}, \{ u_i^\top y_j \} \big)

with random directions u of length 1, see :mod:`ganvas.metrics.slices`. It is in feature units.

Relation to the SWD of Progressive GANs: their inner function is the same mean of :math:`W_1` over 512 directions. They
apply it to patches of 7x7 pixels, taken from each level of a Laplacian pyramid and normalised by channel, and
multiply by 1000. So theirs sees texture at each scale, pixel by pixel, and no contents; this one sees what the
extractor sees. The two have different units and are not comparable. Relation to ``mind``: that takes squared distances,
so that it weighs rare, distant images more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganvas.metrics.base import FEATURES, SEED, Score, Setting, feature_metric
from ganvas.metrics.slices import sliced_of

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison

_DIRECTIONS = Setting("swd_directions", 512, "number of random directions of swd (Karras et al.: 512)", least=1)


def _swd(pair: Comparison) -> Score:
    # Reference: Karras et al. 2018, section 5, https://arxiv.org/abs/1710.10196; Rabin et al. 2012.
    found = sliced_of(pair, "swd", power=1, directions=pair.settings.swd_directions)
    return Score(found.value, found.error, f"{found.n} generated images, first order")


# No smallest sensible n: neither the literature on features nor the mathematics singles one out; the bias falls with n.
METRIC = feature_metric(
    "swd",
    FEATURES,
    True,
    _swd,
    "sliced Wasserstein distance of the features (that of Progressive GANs is on patches of pixels)",
    (_DIRECTIONS, SEED),
)
