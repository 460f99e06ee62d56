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

The standard errors are over samples, and the real images are held. That of alpha-precision is a bootstrap deviation.
A bootstrap would leave out samples that win contests of neighbours, so the variance of beta-recall is that of a
bootstrap over real images, times the ratio of two variances of scores of half of the samples: over random halves, and
over bootstraps of real images (compare :mod:`ganvas.metrics.design_effect`). In simulations the error was 0.9 to 1.2
times the true deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ganvas.metrics.base import FEATURES, Score, feature_metric
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.design_effect import first_halves
from ganvas.metrics.nearest import nearest
from ganvas.metrics.neighbours import BLOCK_BYTES, centred, squared_distances
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


def integrated_beta_recall(
    real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, error: bool = True
) -> tuple[float, float]:
    r"""Integrated beta-recall and its standard error over generated images.

    .. math:: 1 - 2 \Delta \sum_k | R_{\beta_k} - \beta_k |

    Reference: as :func:`integrated_alpha_precision`, where the authors' code calls it beta-coverage.

    Args:
        real: features of real images, at least 2.
        fake: features of generated images.
        error: whether to compute the standard error, which takes longer than the score; else it is NaN.

    Returns:
        The score, at most 1 and about 0 if no real image is covered, and its standard error over generated images.
    """
    radii = nearest(real, real, own=torch.arange(len(real)))[0]
    distance, index = nearest(real, fake, own=None)
    typical = _distance(fake, fake.double().mean(0))
    contests, draw = Contests((distance <= radii).numpy(), typical[index.numpy()]), np.random.RandomState(0)
    if not error:
        return contests.score(), math.nan
    found = np.array([contests.resampled(draw).score() for _ in range(_RESAMPLES)])
    return contests.score(), float(found.std(ddof=1)) * math.sqrt(_effect(real, fake, radii, typical))


@final
@dataclass(frozen=True, eq=False)
class Contests:
    """The nearest sample of each real image, in a contest with the nearest other real image.

    Args:
        covered: whether the sample is as near, ``(n,)``.
        typical: distance of the sample to the mean of all samples, ``(n,)``.
    """

    covered: np.ndarray
    typical: np.ndarray

    def score(self) -> float:
        """Integrated beta-recall."""
        radii = np.quantile(self.typical, LEVELS)
        shares = np.searchsorted(np.sort(self.typical[self.covered]), radii, side="right") / len(self.covered)
        return float(_integrated(shares[None])[0])

    def resampled(self, draw: np.random.RandomState) -> Contests:
        """Draw as many real images with replacement."""
        index = draw.randint(len(self.covered), size=len(self.covered))
        return Contests(self.covered[index], self.typical[index])


def _effect(real: Tensor, fake: Tensor, radii: Tensor, typical: np.ndarray) -> float:
    """Variance of beta-recall over random halves of the samples, divided by that over bootstraps of real images."""
    distance, index = _nearest_few(real, fake)
    halves, draw = first_halves(0, len(fake)).bool(), np.random.RandomState(0)
    over_samples, over_images = 0.0, 0.0
    for first in halves.T:
        scores = []
        for half in (first, ~first):
            inside = half[index]
            rank = inside.byte().argmax(1, keepdim=True)
            covered = inside.any(1) & (distance.gather(1, rank)[:, 0] <= radii)
            of_half = Contests(covered.numpy(), typical[index.gather(1, rank)[:, 0].numpy()])
            scores.append(of_half.score())
            over_images += (of_half.resampled(draw).score() - scores[-1]) ** 2 / 2
        over_samples += (scores[0] - scores[1]) ** 2 / 2
    return over_samples / over_images if over_images else 1.0


def _nearest_few(real: Tensor, fake: Tensor) -> tuple[Float64[Tensor, "n k"], Int64[Tensor, "n k"]]:
    """Distances and positions of the 16 nearest samples; a half has none of them once in 65,536 times."""
    found = []
    for _, block in squared_distances(*centred(real, fake), BLOCK_BYTES):
        found.append(block.topk(min(16, len(fake)), dim=1, largest=False))
    return torch.cat([x.values for x in found]).sqrt(), torch.cat([x.indices for x in found])


def _distance(x: Tensor, centre: Tensor) -> np.ndarray:
    return torch.cat([(part.double() - centre).norm(dim=1) for part in x.split(4096)]).numpy()


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
    value, error = integrated_beta_recall(real.values, pair.fake.values, error=pair.errors)
    return Score(value, error, f"{pair.fake.n} generated images, reference held")


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
