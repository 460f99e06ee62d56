r"""Memorisation audit in feature space: are samples closer to training images than held-out real images are?

Let :math:`d(x)` be the distance of an image to its nearest training image :math:`t(x)`, and :math:`r_t` the distance of
a training image to the nearest other training image. An image is

.. math:: \text{close: } d(x) \le \tau, \quad \tau = \text{quantile of } d \text{ over held-out images}, \qquad
    \text{authentic: } d(x) > r_{t(x)}.

Samples of a model that does not copy behave like held-out images. So both shares are also reported for held-out images,
and a warning is given only if the samples' share is outside the interval expected for as many new real images. If
:math:`\tau` is the h-th smallest of n held-out distances, the number of close images among m new ones is beta-binomial
with parameters :math:`m, h, n + 1 - h`, for any features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import betabinom
from torch import Tensor

from ganvas.data import pictures
from ganvas.data.batches import model_input
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score, Setting
from ganvas.metrics.nearest import nearest
from ganvas.metrics.share import share_of
from ganvas.metrics.three_sets import three_sets
from ganvas.metrics.validation import require_images

CONFIDENCE: Final = 0.99
"""Probability of the intervals for new real images (ours): each of the two findings wrongly warns in 1 of 200 cases."""


@final
@dataclass(frozen=True)
class Share:
    """A share of the samples, with the same share of held-out images.

    Args:
        fake: share of the samples, in [0, 1].
        held_out: share of the held-out images, in [0, 1].
        interval: predictive interval, with probability :data:`CONFIDENCE`, for the share of as many new real images as
            there are samples; it includes the uncertainty from the number of held-out images.
    """

    fake: float
    held_out: float
    interval: tuple[float, float]


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Samples and their nearest training images, the most suspicious first.

    Args:
        fake: positions of the samples.
        train: positions of their nearest training images.
        distance: distance between sample and training image, in feature units.
        ratio: ``distance`` divided by the distance of the training image to the nearest other one; 0 for a copy, above
            1 for an authentic sample.
    """

    fake: Int64[Tensor, " p"]
    train: Int64[Tensor, " p"]
    distance: Float64[Tensor, " p"]
    ratio: Float64[Tensor, " p"]


@final
@dataclass(frozen=True, eq=False)
class Memorisation:
    r"""Result of the memorisation audit.

    Args:
        close: share of close images, as defined above.
        authentic: share of authentic images (AuthPct is 100 times this share).
        threshold: :math:`\tau`, the largest distance of a close image, in feature units.
        pairs: the most suspicious pairs.
    """

    close: Share
    authentic: Share
    threshold: float
    pairs: Pairs


def audit(
    train: Float[Tensor, "t d"],
    held_out: Float[Tensor, "h d"],
    fake: Float[Tensor, "m d"],
    *,
    quantile: float,
    pairs: int,
) -> Memorisation:
    r"""Compare samples with held-out images by their distance to the training set.

    .. math:: \frac1m \#\{x : d(x) \le \tau\}, \qquad \frac1m \#\{x : d(x) > r_{t(x)}\}

    Reference: authenticity: Alaa et al. 2022, https://arxiv.org/abs/2102.08921; held-out calibration:
    Meehan et al. 2020, https://arxiv.org/abs/2004.05675.

    Args:
        train: features of all images the model was trained on, at least 2.
        held_out: features of real images the model was not trained on, at least 2.
        fake: features of samples, by the same extractor.
        quantile: share of held-out images that count as close, in (0, 1), for example 0.01.
        pairs: number of suspicious pairs to keep.

    Raises:
        ValueError: there are too few images, features are not finite, or an argument is out of range.
    """
    require_images("the memorisation audit", 2, train=train, held_out=held_out)
    require_images("the memorisation audit", 1, fake=fake)
    if not 0 < quantile < 1 or pairs < 0:
        raise ValueError(
            f"quantile, pairs: expected 0 < quantile < 1 and pairs >= 0, got {quantile}, {pairs}; use 0.01, 16"
        )
    held_distance, held_index = nearest(held_out, train, own=None)
    distance, index = nearest(fake, train, own=None)
    radii = _radii(train, torch.cat([held_index, index]))
    threshold = float(held_distance.sort().values[math.ceil(quantile * len(held_distance)) - 1])
    return Memorisation(
        close=_share(distance <= threshold, held_distance <= threshold, order_statistic=True),
        authentic=_share(distance > radii[index], held_distance > radii[held_index], order_statistic=False),
        threshold=threshold,
        pairs=_pairs(distance, index, radii[index], pairs),
    )


def _radii(train: Tensor, needed: Int64[Tensor, " q"]) -> Float64[Tensor, " t"]:
    """Distance to the nearest other training image, for the training images in ``needed``; NaN for the rest."""
    rows = needed.unique()
    radii = torch.full((len(train),), math.nan, dtype=torch.float64)
    radii[rows] = nearest(train[rows], train, own=rows)[0]
    return radii


def _share(fake: Bool[Tensor, " m"], held_out: Bool[Tensor, " h"], *, order_statistic: bool) -> Share:
    """Compute both shares and the predictive interval: exact for an order statistic, else with Jeffreys' prior."""
    m, n, hits = len(fake), len(held_out), int(held_out.sum())
    a, b = (hits, n + 1 - hits) if order_statistic else (hits + 0.5, n - hits + 0.5)
    low, high = betabinom.interval(CONFIDENCE, m, a, b)
    return Share(float(fake.double().mean()), hits / n, (float(low) / m, float(high) / m))


def _pairs(distance: Tensor, index: Tensor, radius: Tensor, count: int) -> Pairs:
    # A copy of a training image that occurs twice would give 0 / 0; its ratio is 0 like that of any copy.
    ratio = torch.where(distance == 0, 0.0, distance / radius)
    worst = ratio.argsort(stable=True)[:count]
    return Pairs(worst, index[worst], distance[worst], ratio[worst])


_SETTINGS = (
    Setting("memorisation.quantile", 0.01, "share of held-out images that count as close", least=0, below=1),
    Setting("memorisation.pairs", 16, "number of most suspicious pairs in the picture", least=0, decides=False),
)
COLUMNS: Final = 8


def _memorisation(material: Material) -> Measured:
    """Audit the samples; the most suspicious pairs are written to ``memorisation.png``."""
    sets = three_sets(material, "memorisation")
    quantile, pairs = (material.settings[f"memorisation.{name}"] for name in ("quantile", "pairs"))
    features = (x.values for x in (sets.train, sets.held_out, sets.fake))
    found = audit(*features, quantile=quantile, pairs=pairs)
    return Measured(
        {
            "memorisation_close": _score(found.close, sets.fake.n),
            "memorisation_authentic": _score(found.authentic, sets.fake.n),
        },
        floor={"memorisation_close": found.close.held_out, "memorisation_authentic": found.authentic.held_out},
        conditions=sets.conditions,
        evidence=(found,),
        pictures={"memorisation": _picture(material, found)} if pairs else {},
    )


def _score(found: Share, n: int) -> Score:
    return share_of(round(found.fake * n), n, "generated images, training images held")


def _picture(material: Material, found: Memorisation) -> Tensor:
    """Draw samples above their nearest training images, the most suspicious first."""
    worst = found.pairs
    nearest = material.examples("train", "memorisation").batch(worst.train)
    columns = min(COLUMNS, len(worst.fake))
    return pictures.pairs(model_input(material.drawn_at(worst.fake)), model_input(nearest), columns)


METRIC = Metric(
    "memorisation",
    SAMPLES,
    {"memorisation_close": True, "memorisation_authentic": False},
    _SETTINGS,
    1,
    _memorisation,
    "shares of samples that are close to training images, and that are authentic (dgm-eval's AuthPct is 100 times "
    "this share); held-out images give the floor",
    in_blocks=True,
)
