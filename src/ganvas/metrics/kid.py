r"""Kernel distance: the unbiased squared maximum mean discrepancy under a cubic kernel.

.. math:: \mathrm{MMD}^2_u = \frac{1}{m(m-1)} \sum_{i \ne j} \big( k(x_i, x_j) + k(y_i, y_j) \big)
    - \frac{2}{m^2} \sum_{i,j} k(x_i, y_j), \qquad k(x, y) = \Big( \frac{x^\top y}{d} + 1 \Big)^3

averaged over random subsets of m images a side. Unbiased: it averages 0 where both sides have one distribution, and may
be negative. On the 2015 Inception it is the Kernel Inception Distance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from ganvas.metrics.base import FEATURES, SEED, Score, Setting, feature_metric
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def subset_size(limit: int, n_real: int, n_fake: int) -> int:
    """Images a subset can have: the stated size, or all images of the smaller side."""
    return min(limit, n_real, n_fake)


def kernel_distance(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, subsets: int, size: int, seed: int
) -> tuple[float, float]:
    r"""Kernel distance by torch-fidelity's function, in the features' own precision, as there.

    .. math:: \widehat{\mathrm{MMD}}{}^2_u \text{ averaged over subsets}

    Reference: Binkowski et al. 2018, equation 4 and section 3.1, https://arxiv.org/abs/1801.01401.

    Args:
        real: features of real images, n at least 2.
        fake: features of generated images, m at least 2.
        subsets: number of subset pairs, at least 1.
        size: images in one subset; cut to the smaller side.
        seed: of the subsets; the global random state is not used.

    Returns:
        Mean over the subsets (negative values are possible), and population standard deviation over the subsets.

    Raises:
        ValueError: fewer than 2 images a side, or features that are not finite.
    """
    require_images("the kernel distance", 2, real=real, fake=fake)
    # Generated images first, as its command has them: one stream of random numbers draws the subsets of both sides.
    out = kid_features_to_metric(
        fake,
        real,
        kid_subsets=subsets,
        kid_subset_size=subset_size(size, len(real), len(fake)),
        rng_seed=seed,
        verbose=False,
    )
    return out[KEY_METRIC_KID_MEAN], out[KEY_METRIC_KID_STD]


_SUBSETS = Setting("kid_subsets", 100, "pairs of subsets drawn for the kernel distance (the paper: 100)", least=1)
_SIZE = Setting("kid_subset_size", 1000, "images in one subset, at most all of a side (the paper: 1000)", least=2)


def _kid(pair: Comparison) -> Score:
    real, fake, s = pair.real_features("kid"), pair.fake, pair.settings
    size = subset_size(s.kid_subset_size, real.n, fake.n)
    mean, sd = kernel_distance(real.values, fake.values, subsets=s.kid_subsets, size=size, seed=s.seed)
    return kid_score(mean, sd, s.kid_subsets, (size, real.n, fake.n))


def kid_score(mean: float, sd: float, subsets: int, sizes: tuple[int, int, int]) -> Score:
    """A kernel distance with its uncertainty, of which there is none where every subset is all images of both sides.

    Args:
        mean: over the subsets.
        sd: over the subsets.
        subsets: how many.
        sizes: images of one subset, of the real side and of the fake side.
    """
    if len(set(sizes)) == 1:
        return Score(mean, sd=None, sd_over="")
    return Score(mean, sd, sd_over=f"{subsets} subsets of {sizes[0]}")


METRIC = feature_metric(
    # 2: subsets are drawn as torch-fidelity's command draws them, the generated images first.
    "kid",
    FEATURES,
    True,
    _kid,
    "unbiased kernel distance of the features",
    (_SUBSETS, _SIZE, SEED),
    revision=2,
)
