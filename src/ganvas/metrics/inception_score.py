r"""Inception Score: high if the class of each image is predicted with confidence and all classes are equally frequent.

.. math:: \mathrm{IS} = \exp \, \mathbb{E}_x \, \mathrm{KL} \big( p(y \mid x) \,\Vert\, p(y) \big) \in [1, k]

It is 1 if predictions do not depend on the image, and k if they are confident and spread evenly over the k classes. The
images are shuffled with a seed and divided into splits; value and standard deviation are over the splits, and the value
is lower for smaller splits. With a classifier other than the 2015 Inception it is not comparable with published values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import LOGITS, SEED, Score, Setting, feature_metric
from ganvas.metrics.blocks import rows_of
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def inception_score(logits: Float[Tensor, "n k"], *, splits: int, seed: int) -> tuple[float, float]:
    r"""Inception Score by torch-fidelity's function, in float64.

    .. math:: \exp \frac{1}{n} \sum_i \sum_y p_{iy} (\log p_{iy} - \log \bar p_y)

    Reference: Salimans et al. 2016, section 4, https://arxiv.org/abs/1606.03498.

    Args:
        logits: class logits of the generated images, at least two images in each split.
        splits: number of splits, at least 1.
        seed: seed of the shuffle; the global random state is not used.

    Returns:
        Mean over the splits in [1, k], and population standard deviation over the splits.

    Raises:
        ValueError: a split has fewer than two images, or logits are not finite.
    """
    require_images(f"the Inception Score in {splits} splits", 2 * splits, fake=logits)
    if logits.dtype == torch.float16:
        return _in_blocks(logits, splits=splits, seed=seed)
    # Imported here, since torch-fidelity brings torchvision and torch's compiler, and a report needs only names.
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

    out = isc_features_to_metric(logits, splits=splits, shuffle=True, rng_seed=seed)
    return out[KEY_METRIC_ISC_MEAN], out[KEY_METRIC_ISC_STD]


def _in_blocks(logits: Float[Tensor, "n k"], *, splits: int, seed: int) -> tuple[float, float]:
    """Compute the same in blocks of bounded memory, with torch-fidelity's shuffle, for logits in a file."""
    order = torch.from_numpy(np.random.RandomState(seed).permutation(len(logits)))
    found = []
    for i in range(splits):
        part = order[i * len(logits) // splits : (i + 1) * len(logits) // splits]
        total, entropies = torch.zeros(logits.shape[1], dtype=torch.float64), 0.0
        for rows in part.split(rows_of(logits)):
            log_p = logits[rows].double().log_softmax(1)
            total += log_p.exp().sum(0)
            entropies += float((log_p.exp() * log_p).sum())
        mean = total / len(part)
        found.append(math.exp(entropies / len(part) - float(torch.xlogy(mean, mean).sum())))
    return float(np.mean(found)), float(np.std(found))


_SPLITS = Setting("is_splits", 10, "number of splits (the papers: 10)", least=1)


def _inception_score(pair: Comparison) -> Score:
    logits, s = pair.fake.logits, pair.settings
    assert logits is not None
    mean, sd = inception_score(logits, splits=s.is_splits, seed=s.seed)
    return Score(mean, sd, sd_over=is_parts(s.is_splits))


def is_parts(splits: int) -> str:
    """Make the text of ``Score.sd_over`` for the Inception Score."""
    return f"{splits} splits"


METRIC = feature_metric(
    "is",
    LOGITS,
    False,
    _inception_score,
    "Inception Score of the extractor's classes",
    (_SPLITS, SEED),
    sensible_n=SensibleN(
        50,
        "an Inception Score is below its value at more images, as a split does not show all classes (Salimans et al. "
        "use 50,000 images for the 1,000 classes of ImageNet)",
        per="class",
    ),
    in_blocks=True,
)
