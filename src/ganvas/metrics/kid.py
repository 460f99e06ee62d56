r"""Kernel distance: the unbiased squared maximum mean discrepancy under a cubic kernel.

.. math:: \mathrm{MMD}^2_u = \frac{1}{m(m-1)} \sum_{i \ne j} \big( k(x_i, x_j) + k(y_i, y_j) \big)
    - \frac{2}{m^2} \sum_{i,j} k(x_i, y_j), \qquad k(x, y) = \Big( \frac{x^\top y}{d} + 1 \Big)^3

averaged over random subsets of m images of each side. It is unbiased: its mean is 0 if both sides have the same
distribution, and single values may be negative. On features of the 2015 Inception it is the Kernel Inception Distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import FEATURES, SEED, Score, Setting, feature_metric
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


CUBIC: Final[Mapping[str, Any]] = MappingProxyType({})
"""The kernel above: torch-fidelity's own."""


def subset_size(limit: int, n_real: int, n_fake: int) -> int:
    """Number of images in a subset: ``limit``, or all images of the smaller side if these are fewer."""
    return min(limit, n_real, n_fake)


def kernel_distance(
    real: Float[Tensor, "n d"],
    fake: Float[Tensor, "m d"],
    *,
    subsets: int,
    size: int,
    seed: int,
    kernel: Mapping[str, Any] = CUBIC,
) -> tuple[float, float]:
    r"""Kernel distance by torch-fidelity's function, in the precision of the features.

    .. math:: \widehat{\mathrm{MMD}}{}^2_u \text{ averaged over subsets}

    Reference: Binkowski et al. 2018, equation 4 and section 3.1, https://arxiv.org/abs/1801.01401.

    Args:
        real: features of real images, n at least 2.
        fake: features of generated images, m at least 2.
        subsets: number of subset pairs, at least 1.
        size: images in one subset, reduced to the size of the smaller side if necessary.
        seed: seed of the subsets; the global random state is not used.
        kernel: torch-fidelity's arguments for another kernel.

    Returns:
        Mean over the subsets (negative values are possible), and population standard deviation over the subsets.

    Raises:
        ValueError: a side has fewer than 2 images, or features are not finite.
    """
    require_images("the kernel distance", 2, real=real, fake=fake)
    size = subset_size(size, len(real), len(fake))
    if torch.float16 in (real.dtype, fake.dtype):
        return _of_files(real, fake, subsets=subsets, size=size, seed=seed, kernel=kernel)
    # Imported here, since torch-fidelity brings torchvision and torch's compiler, and a report needs only names.
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    # Generated images first, as in torch-fidelity's command: one random stream draws the subsets of both sides.
    out = kid_features_to_metric(
        fake,
        real,
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed,
        verbose=False,
        **kernel,
    )
    return out[KEY_METRIC_KID_MEAN], out[KEY_METRIC_KID_STD]


def _of_files(
    real: Tensor, fake: Tensor, *, subsets: int, size: int, seed: int, kernel: Mapping[str, Any]
) -> tuple[float, float]:
    """Compute the same on the same subsets, each read from the files and converted to float32 by itself."""
    from torch_fidelity.metric_kid import kernel_mmd

    random, found = np.random.RandomState(seed), []
    for _ in range(subsets):
        rows = [torch.from_numpy(random.choice(len(x), size, replace=False)) for x in (fake, real)]
        found.append(kernel_mmd(fake[rows[0]].float().numpy(), real[rows[1]].float().numpy(), **kernel))
    return float(np.mean(found)), float(np.std(found))


SUBSETS = Setting("kid_subsets", 100, "number of subset pairs for the kernel distance (the paper: 100)", least=1)
SIZE = Setting(
    "kid_subset_size", 1000, "images in one subset, at most all of the smaller side (the paper: 1000)", least=2
)


def _kid(pair: Comparison) -> Score:
    return subset_score(pair, "kid", CUBIC)


def subset_score(pair: Comparison, metric: str, kernel: Mapping[str, Any]) -> Score:
    """Compute the kernel distance of a pair under a kernel.

    Args:
        pair: features of both sides.
        metric: name of the metric, for the message.
        kernel: see :func:`kernel_distance`.
    """
    real, fake, s = pair.real_features(metric), pair.fake, pair.settings
    size = subset_size(s.kid_subset_size, real.n, fake.n)
    mean, sd = kernel_distance(real.values, fake.values, subsets=s.kid_subsets, size=size, seed=s.seed, kernel=kernel)
    return kid_score(mean, sd, s.kid_subsets, (size, real.n, fake.n))


def kid_score(mean: float, sd: float, subsets: int, sizes: tuple[int, int, int]) -> Score:
    """Make the score; it has no sd if each subset holds all images of both sides.

    Args:
        mean: mean over the subsets.
        sd: standard deviation over the subsets.
        subsets: number of subsets.
        sizes: number of images of a subset, of the real side and of the fake side.
    """
    if len(set(sizes)) == 1:
        return Score(mean, sd=None, sd_over="")
    return Score(mean, sd, sd_over=f"{subsets} subsets of {sizes[0]}")


# No smallest sensible n: the estimate is unbiased at any n, and its ± shows what few images cost.
METRIC = feature_metric(
    # Revision 2: subsets are drawn as in torch-fidelity's command, the generated images first.
    "kid",
    FEATURES,
    True,
    _kid,
    "unbiased kernel distance of the features",
    (SUBSETS, SIZE, SEED),
    revision=2,
    in_blocks=True,
)
