r"""IS-infinity: the Inception Score extrapolated to infinitely many images.

.. math:: \mathrm{IS}_N \approx \mathrm{IS}_\infty + b / N, \qquad
    \mathrm{IS}_N = \exp \frac1N \sum_{i=1}^{N} \mathrm{KL} \big( p(y \mid x_i) \,\Vert\, \bar p(y) \big)

The score of N images is too low, as their mean prediction :math:`\bar p` has less entropy than that of all images. It
is measured at several N on random subsets, each without splits, and the line in 1/N is read at 1/N = 0, see
:mod:`ganvas.metrics.extrapolation`. The value may be above the number of classes by its error.

The standard error adds, to the scatter about the line, the error from drawing other images. It is first order, from the
influence of an image on the logarithm of the score, :math:`\mathrm{KL}(p(y \mid x) \Vert \bar p(y))` up to a constant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import LOGITS, SEED, Score, feature_metric
from ganvas.metrics.extrapolation import Line, extrapolated, line_settings
from ganvas.metrics.inception_score import inception_score
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison


def is_infinity(logits: Float[Tensor, "n k"], line: Line) -> tuple[float, float]:
    """Extrapolate the Inception Score to infinitely many images.

    Reference: Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023.

    Args:
        logits: class logits of the generated images, at least ``2 / share``.
        line: sizes and seed of the subsets.

    Returns:
        The intercept, and its standard error from the residuals of the line.

    Raises:
        ValueError: there are too few images, or logits are not finite.
    """
    require_images("IS-infinity", math.ceil(2 / line.share), fake=logits)
    return extrapolated(lambda subset: inception_score(subset, splits=1, seed=line.seed)[0], logits, line)


def score_error(logits: Float[Tensor, "n k"]) -> float:
    r"""Standard error of the Inception Score over images.

    .. math:: \mathrm{IS} \cdot \operatorname{sd}_i \mathrm{KL} \big( p(y \mid x_i) \Vert \bar p(y) \big) / \sqrt n

    Args:
        logits: class logits of at least 2 images.
    """
    log_p = logits.double().log_softmax(dim=1)
    p = log_p.exp()
    divergences = (p * (log_p - p.mean(dim=0).log())).sum(dim=1)
    return float(divergences.mean().exp() * divergences.std() / len(logits) ** 0.5)


def _is_infinity(pair: Comparison) -> Score:
    logits, s = pair.fake.logits, pair.settings
    assert logits is not None
    value, scatter = is_infinity(logits, Line(s.is_infinity_points, s.is_infinity_share, s.seed))
    over = f"{pair.fake.n} generated images, first order, and {s.is_infinity_points} points of a line"
    return Score(value, math.hypot(score_error(logits), scatter), over)


METRIC = feature_metric(
    "is_infinity",
    LOGITS,
    False,
    _is_infinity,
    "Inception Score extrapolated to infinitely many samples",
    (*line_settings("is_infinity"), SEED),
    sensible_n=SensibleN(
        50,  # the smallest sample of the shipped line, a tenth of all, then has five images of each class
        "IS-infinity extrapolates scores of samples that do not show all classes, whose bias is no line in 1/N",
        per="class",
    ),
)
