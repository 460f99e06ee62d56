r"""Are the samples copies of training images? An audit in feature space, calibrated by held-out real images.

With :math:`d(x)` the distance of an image to its nearest training image :math:`t(x)`, and :math:`r_t` that of a
training image to the nearest other one,

.. math:: \text{close: } d(x) \le \tau, \quad \tau = \text{quantile of } d \text{ over held-out images}, \qquad
    \text{authentic: } d(x) > r_{t(x)}.

Held-out images are what an honest model's samples would be: both shares are shown for them too, and a warning is given
only where the samples' share is outside of what as many fresh images would show. For :math:`\tau` the h-th of n
held-out distances, the number of close ones among m fresh images is beta-binomial with parameters
:math:`m, h, n + 1 - h`, whatever the features are.
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
from ganvas.extractors.features import Features
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score, Setting
from ganvas.metrics.nearest import nearest
from ganvas.metrics.validation import require_images

CONFIDENCE: Final = 0.99
"""Of the intervals of fresh images (ours): each of the two findings warns of one honest model in 200."""


@final
@dataclass(frozen=True)
class Share:
    """A share of the samples beside that of held-out images.

    Args:
        fake: share among the samples.
        held_out: share among the held-out images.
        interval: where the share of as many fresh images as there are samples lies, with probability
            :data:`CONFIDENCE`, the number of held-out images taken into account.
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
        distance: between the two, in units of the features.
        ratio: distance over that of the training image to the nearest other one; 0 for a copy, authentic above 1.
    """

    fake: Int64[Tensor, " p"]
    train: Int64[Tensor, " p"]
    distance: Float64[Tensor, " p"]
    ratio: Float64[Tensor, " p"]


@final
@dataclass(frozen=True, eq=False)
class Memorisation:
    """Result of the audit.

    Args:
        close: share of images as close to the training set as the closest held-out ones.
        authentic: share of authentic images (AuthPct is 100 times that).
        threshold: the distance of ``close``.
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
        train: features of the images the model was trained on, all of them, at least 2.
        held_out: features of real images it was not trained on, at least 2.
        fake: features of samples, by the same extractor.
        quantile: share of held-out images that are called close, in (0, 1), as 0.01.
        pairs: how many suspicious pairs to keep.

    Returns:
        Both shares and the pairs.

    Raises:
        ValueError: too few images, features that are not finite, or a quantile out of range.
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
    """Distance of the training images that are somebody's nearest to the nearest other one; NaN for the rest."""
    rows = needed.unique()
    radii = torch.full((len(train),), math.nan, dtype=torch.float64)
    radii[rows] = nearest(train[rows], train, own=rows)[0]
    return radii


def _share(fake: Bool[Tensor, " m"], held_out: Bool[Tensor, " h"], *, order_statistic: bool) -> Share:
    """Shares and the predictive interval: exact below an order statistic, else from Jeffreys' prior."""
    m, n, hits = len(fake), len(held_out), int(held_out.sum())
    a, b = (hits, n + 1 - hits) if order_statistic else (hits + 0.5, n - hits + 0.5)
    low, high = betabinom.interval(CONFIDENCE, m, a, b)
    return Share(float(fake.double().mean()), hits / n, (float(low) / m, float(high) / m))


def _pairs(distance: Tensor, index: Tensor, radius: Tensor, count: int) -> Pairs:
    # A copy of a training image that is there twice would be 0 / 0: it is as suspicious as any copy.
    ratio = torch.where(distance == 0, 0.0, distance / radius)
    worst = ratio.argsort(stable=True)[:count]
    return Pairs(worst, index[worst], distance[worst], ratio[worst])


_SETTINGS = (
    Setting("memorisation.quantile", 0.01, "share of held-out images that are called close", least=0, below=1),
    Setting("memorisation.pairs", 16, "most suspicious pairs in the picture", least=0, decides=False),
)
COLUMNS: Final = 8


def _memorisation(material: Material) -> Measured:
    """The shares of close and of authentic samples; the worst pairs go to ``memorisation.png``."""
    held_out = material.real()
    if not isinstance(held_out, Features) or material.split == "train":
        raise ValueError(
            "metrics: memorisation needs training and held-out images; write reference=DATASET with a test split"
        )
    quantile, pairs = (material.settings[f"memorisation.{name}"] for name in ("quantile", "pairs"))
    train = material.features("train", "memorisation")
    found = audit(train.values, held_out.values, material.fake().values, quantile=quantile, pairs=pairs)
    extractor = material.extractor()
    return Measured(
        {
            "memorisation_close": Score(found.close.fake, None, ""),
            "memorisation_authentic": Score(found.authentic.fake, None, ""),
        },
        floor={"memorisation_close": found.close.held_out, "memorisation_authentic": found.authentic.held_out},
        conditions={
            "train": material.examples("train", "memorisation").fingerprint(),
            "extractor": extractor.name,
            "weights_hash": extractor.weights_hash,
            "preprocessing": extractor.preprocessing,
            "n_fake": material.fake().n,
        },
        evidence=(found,),
        pictures={"memorisation": _picture(material, found)} if pairs else {},
    )


def _picture(material: Material, found: Memorisation) -> Tensor:
    """Rows of samples above the rows of their nearest training images, the most suspicious first."""
    worst = found.pairs
    nearest = material.examples("train", "memorisation").batch(worst.train)
    columns = min(COLUMNS, len(worst.fake))
    return pictures.pairs(model_input(material.draw()[worst.fake]), model_input(nearest), columns)


METRIC = Metric(
    "memorisation",
    SAMPLES,
    {"memorisation_close": True, "memorisation_authentic": False},
    _SETTINGS,
    1,
    _memorisation,
    "shares of samples close to, and authentic beside, training images, judged by held-out ones",
)
