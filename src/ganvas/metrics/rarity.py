r"""Rarity: mean size of the smallest real neighbourhood that contains a sample.

.. math:: \mathrm{rarity}(y) = \min_{i : \, y \in B(x_i, r_k(x_i))} r_k(x_i)

with open balls around the real images x. Real images that are unlike all others have large balls, so a sample that only
such balls contain is rare. A sample in no ball is not judged: precision counts these. The score is the mean over the
samples in a ball, in feature units, and NaN if there is none. It says how unusual samples are, not how good: compare it
with its floor, the rarity of real images.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.metrics.base import FEATURES, Metric, Score, Setting
from ganvas.metrics.comparison import Comparison, squared_radii_of
from ganvas.metrics.mean_error import mean_error
from ganvas.metrics.neighbours import BLOCK_BYTES, centred, squared_distances
from ganvas.metrics.validation import require_images


def rarity(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], squared_radii: Float64[Tensor, " n"]
) -> Float64[Tensor, " m"]:
    r"""Rarity of each generated image.

    .. math:: \min_{i : \, \lVert y - x_i \rVert < r_i} r_i

    Reference: Han et al. 2022, https://arxiv.org/abs/2206.08549; authors' code:
    https://github.com/hichoe95/Rarity-Score.

    Args:
        real: features of real images.
        fake: features of generated images.
        squared_radii: squared distance of each real image to its k-th nearest other one.

    Returns:
        Rarity in feature units; NaN for an image in no ball.
    """
    a, b, tolerance = centred(real, fake)
    found = torch.full((len(fake),), math.inf, dtype=torch.float64)
    for start, block in squared_distances(a, b, tolerance, BLOCK_BYTES):
        radii = squared_radii[start : start + len(block), None]
        smallest = torch.where(block < radii, radii, math.inf).amin(0)
        found = torch.minimum(found, smallest)
    return torch.where(found.isinf(), math.nan, found.sqrt())


_K = Setting("rarity_neighbours", 3, "k of rarity (the authors' code: 3)", least=1)


def _rarity(pair: Comparison) -> Score:
    real, k = pair.real_features("rarity"), pair.settings.rarity_neighbours
    require_images("rarity", 2, fake=pair.fake.values)
    require_images(f"{k} nearest neighbours", k + 1, real=real.values)
    found = rarity(real.values, pair.fake.values, squared_radii_of(real, k))
    inside = found[~found.isnan()]
    if not len(inside):
        return Score(math.nan, None, "")
    mean = mean_error(inside)
    return Score(mean.mean, mean.standard_error, f"{mean.n} generated images in real balls, balls held")


# No smallest sensible n: balls shrink as real images are added, and the floor has the same balls at any n.
METRIC = Metric(
    "rarity",
    FEATURES,
    {"rarity": None},
    (_K,),
    1,
    _rarity,
    "mean size of the smallest real neighbourhood that contains a sample; says how unusual samples are",
)
