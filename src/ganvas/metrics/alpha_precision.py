r"""Integrated alpha-precision and beta-recall: are samples typical as often as real images are, in all degrees?

The alpha-support is the smallest ball around the real mean c that holds the share alpha of the real images. A perfect
model has the same share of its samples in it, for every alpha; the score is 1 minus twice the mean deviation:

.. math:: P_\alpha = \frac1m \#\{ j : \lVert y_j - c \rVert \le Q_\alpha \}, \qquad
    \mathrm{IP} = 1 - 2 \Delta \sum_k | P_{\alpha_k} - \alpha_k |

with :math:`Q_\alpha` the quantile of the real images' distances to c, and 30 values of alpha from 0 to 1, with the step
:math:`\Delta`. Beta-recall counts real images x that a typical sample covers, with y(x) the nearest sample and
:math:`\bar y` the mean of the samples:

.. math:: R_\beta = \frac1n \#\{ i : \lVert x_i - y(x_i) \rVert \le r_1(x_i), \;
    \lVert y(x_i) - \bar y \rVert \le Q'_\beta \}, \qquad \mathrm{IR} = 1 - 2 \Delta \sum_k | R_{\beta_k} - \beta_k |

with :math:`Q'_\beta` the quantile of :math:`\lVert y(x_i) - \bar y \rVert` over the real images. Samples of the data's
own distribution win only about every second nearest-neighbour contest, so a perfect beta-recall is about 0.5, not 1:
compare it with its floor. The paper first maps features by a one-class network, which it trains on the real images; as
in the authors' function, the features are taken as they are, here with c the real mean.

The standard errors are bootstrap deviations over the counted images, with balls and neighbours of the other side fixed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ganvas.metrics.base import FEATURES, Score, feature_metric
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.nearest import nearest
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images

LEVELS: Final = np.linspace(0, 1, 30)
"""Values of alpha and beta (the authors' code: 30)."""
_RESAMPLES: Final = 200
"""Number of bootstrap resamples, which decide the standard error only."""


def integrated_alpha_precision(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> tuple[float, float]:
    r"""Integrated alpha-precision and its standard error over generated images.

    .. math:: 1 - 2 \Delta \sum_k | P_{\alpha_k} - \alpha_k |

    Reference: Alaa et al. 2022, https://arxiv.org/abs/2102.08921; authors' code:
    https://github.com/ahmedmalaa/evaluating-generative-models (compute_alpha_precision).

    Args:
        real: features of real images.
        fake: features of generated images.

    Returns:
        The score, at most 1 and about 0 if no sample is typical, and its standard error with the balls fixed.
    """
    centre = real.double().mean(0)
    radii = np.quantile(_distance(real, centre), LEVELS)
    # Level at which each sample is first counted; the last bin holds those outside of all balls.
    first = np.searchsorted(radii, _distance(fake, centre), side="left")
    counts = np.bincount(first, minlength=len(LEVELS) + 1)
    drawn = np.random.RandomState(0).multinomial(len(fake), counts / len(fake), size=_RESAMPLES)
    curves = np.concatenate([counts[None], drawn]).cumsum(1)[:, :-1] / len(fake)
    values = _integrated(curves)
    return float(values[0]), float(values[1:].std(ddof=1))


def integrated_beta_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"]) -> tuple[float, float]:
    r"""Integrated beta-recall and its standard error over real images.

    .. math:: 1 - 2 \Delta \sum_k | R_{\beta_k} - \beta_k |

    Reference: as :func:`integrated_alpha_precision`, where the authors' code calls it beta-coverage.

    Args:
        real: features of real images, at least 2.
        fake: features of generated images.

    Returns:
        The score, at most 1 and about 0 if no real image is covered, and its standard error with the neighbours fixed.
    """
    radii = nearest(real, real, own=torch.arange(len(real)))[0]
    distance, index = nearest(real, fake, own=None)
    covered = (distance <= radii).numpy()
    typical = _distance(fake, fake.double().mean(0))[index.numpy()]
    draw = np.random.RandomState(0)
    resamples = (draw.randint(len(real), size=len(real)) for _ in range(_RESAMPLES))
    values = _integrated(np.stack([_coverage(covered[i], typical[i]) for i in resamples]))
    return float(_integrated(_coverage(covered, typical)[None])[0]), float(values.std(ddof=1))


def _distance(x: Tensor, centre: Tensor) -> np.ndarray:
    return torch.cat([(part.double() - centre).norm(dim=1) for part in x.split(4096)]).numpy()


def _coverage(covered: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Share of covered images up to each level."""
    radii = np.quantile(typical, LEVELS)
    return np.searchsorted(np.sort(typical[covered]), radii, side="right") / len(covered)


def _integrated(curves: np.ndarray) -> np.ndarray:
    return 1 - 2 * np.abs(curves - LEVELS).sum(axis=1) * (LEVELS[1] - LEVELS[0])


def _alpha_precision(pair: Comparison) -> Score:
    real = pair.real_features("alpha_precision")
    require_images("alpha_precision", 2, real=real.values, fake=pair.fake.values)
    value, error = integrated_alpha_precision(real.values, pair.fake.values)
    return Score(value, error, f"{pair.fake.n} generated images, real balls held, bootstrap")


def _beta_recall(pair: Comparison) -> Score:
    real = pair.real_features("beta_recall")
    require_images("beta_recall", 2, real=real.values, fake=pair.fake.values)
    value, error = integrated_beta_recall(real.values, pair.fake.values)
    return Score(value, error, f"{real.n} real images, neighbours held, bootstrap")


_LEAST = SensibleN(30, "the 30 levels of alpha are closer together than the shares of so few images")

METRICS = (
    feature_metric(
        "alpha_precision",
        FEATURES,
        False,
        _alpha_precision,
        "agreement of samples and real images in their distances to the real mean, over all alpha",
        sensible_n=_LEAST,
    ),
    feature_metric(
        "beta_recall",
        FEATURES,
        False,
        _beta_recall,
        "share of real images that typical samples cover, over all beta; about 0.5 is perfect",
        sensible_n=_LEAST,
    ),
)
