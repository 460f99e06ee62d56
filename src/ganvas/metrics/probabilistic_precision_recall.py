r"""Probabilistic precision and recall: how probably do images lie in the other side's support?

.. math:: \Pr[y \in S(X)] = 1 - \prod_i \min \Big( 1, \frac{\lVert y - x_i \rVert}{R_X} \Big), \qquad
    R_X = \frac{a}{n} \sum_i r_k(x_i)

Each real image x speaks for its neighbourhood with a probability that falls linearly from 1 at the image to 0 at the
distance R. All balls of a side have one size, so that a single outlier with a large ball does not decide, as it can in
precision and recall. P-precision is the mean over samples y; P-recall exchanges the sides.

The standard errors hold the other side and R fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import FEATURES, Score, Setting, feature_metric
from ganvas.metrics.comparison import Comparison, squared_radii_of
from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.neighbours import BLOCK_BYTES, centred, squared_distances
from ganvas.metrics.precision_recall import share
from ganvas.metrics.validation import require_images

_TINY: Final = float(np.finfo(np.float64).tiny)


@final
@dataclass(frozen=True, eq=False)
class Inclusion:
    """Probabilities of the images of each side to lie in the support of the other side.

    Args:
        fake_in_real: of each generated image, in [0, 1].
        real_in_fake: of each real image, in [0, 1].
    """

    fake_in_real: Float64[Tensor, " m"]
    real_in_fake: Float64[Tensor, " n"]


def inclusion(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, real_reach: float, fake_reach: float
) -> Inclusion:
    r"""Compute the probabilities of both sides in one pass over the distances.

    .. math:: 1 - \prod_i \min (1, \lVert y - x_i \rVert / R)

    Reference: Park and Kim 2023, https://arxiv.org/abs/2309.01590; authors' code:
    https://github.com/kdst-team/Probablistic_precision_recall.

    Args:
        real: features of real images.
        fake: features of generated images.
        real_reach: R of the real images, in feature units; 0 if images are copies of each other.
        fake_reach: R of the generated images.
    """
    a, b, tolerance = centred(real, fake)
    outside_real = np.ones(len(fake))
    outside_fake = np.ones(len(real))
    for start, block in squared_distances(a, b, tolerance, BLOCK_BYTES):
        distance = block.sqrt_().numpy()
        outside_real *= np.minimum(distance / max(real_reach, _TINY), 1).prod(axis=0)
        part = np.minimum(distance / max(fake_reach, _TINY), 1).prod(axis=1)
        outside_fake[start : start + len(block)] = part
    return Inclusion(torch.from_numpy(1 - outside_real), torch.from_numpy(1 - outside_fake))


def reach(squared_radii: Float64[Tensor, " n"], scale: float) -> float:
    r"""Reach of the images of a side, in feature units.

    .. math:: R = \frac{a}{n} \sum_i r_k(x_i)

    Args:
        squared_radii: squared distance of each image to its k-th nearest other one.
        scale: the factor a, positive.
    """
    return scale * float(squared_radii.sqrt().mean())


_SETTINGS = (
    Setting("p_neighbours", 4, "k of p_precision and p_recall (the authors: 4)", least=1),
    Setting("p_scale", 1.2, "factor a of the reach of p_precision and p_recall (the authors: 1.2)", least=0),
)


def _inclusion(pair: Comparison) -> Inclusion:
    real, fake, s = pair.real_features("p_precision and p_recall"), pair.fake, pair.settings
    k = s.p_neighbours
    require_images(f"{k} nearest neighbours", k + 1, real=real.values, fake=fake.values)

    def compute() -> Inclusion:
        reaches = [reach(squared_radii_of(side, k), s.p_scale) for side in (real, fake)]
        return inclusion(real.values, fake.values, real_reach=reaches[0], fake_reach=reaches[1])

    return pair.once(("inclusion", k, s.p_scale), compute)


def _precision(pair: Comparison) -> Score:
    return share(mean_error(_inclusion(pair).fake_in_real), "generated images, real balls held")


def _recall(pair: Comparison) -> Score:
    return share(mean_error(_inclusion(pair).real_in_fake), "real images, generated balls held")


# No smallest sensible n: neither the paper nor the definition says a number.
METRICS = (
    feature_metric(
        "p_precision", FEATURES, False, _precision, "probability of samples to lie in the real support", _SETTINGS
    ),
    feature_metric(
        "p_recall", FEATURES, False, _recall, "probability of real images to lie in the samples' support", _SETTINGS
    ),
)
