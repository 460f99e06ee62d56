r"""MiFID, the memorisation-informed Fréchet distance: the distance divided by how near samples are to training images.

.. math:: \mathrm{MiFID} = \frac{\mathrm{FD}}{m}, \qquad s = \frac1M \sum_j \min_i \big( 1 - | \cos (y_j, x_i) | \big),
    \qquad m = \begin{cases} s + 10^{-14} & s < \tau \\ 1 & \text{else} \end{cases}

over the samples y and the training images x. A model that copies has a small s and so a large MiFID; a model with
:math:`s \ge \tau` has the Fréchet distance itself. As in the paper, both FD and s compare samples with the training
images, so the value is not the FD or FID against held-out images times a penalty. The threshold belongs to the 2015
Inception, where the competition set 0.1; on another extractor compare s, the score ``mifid_distance``, with its floor,
that of held-out images. Features of zeros have no direction and are left out of s.

The standard error is first order, from the influence of each sample on FD and on s, with the training images fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score, Setting
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.frechet import influence_of, influences, moments_distance
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.three_sets import three_sets
from ganvas.metrics.validation import require_images

_SMALL: Final = 1e-14
"""Added to s by the competition's code, so that exact copies of all samples give no division by zero."""
_BLOCK: Final = 2**24
"""Number of inner products in a block: 64 MiB in float32."""


@final
@dataclass(frozen=True)
class Informed:
    """A memorisation-informed Fréchet distance with its parts.

    Args:
        value: the score, in squared feature units.
        error: standard error of the score over generated images.
        distance: the mean cosine distance s, in [0, 1].
        distance_error: standard error of s over generated images.
    """

    value: float
    error: float
    distance: float
    distance_error: float


def cosine_distances(fake: Float[Tensor, "m d"], train: Float[Tensor, "n d"]) -> Float64[Tensor, " k"]:
    r"""Cosine distance of each generated image to the nearest training image.

    .. math:: \min_i 1 - | \cos (y, x_i) |

    The search is in float32; the distance to the found image is computed in float64, so that a copy has distance 0.

    Args:
        fake: features of generated images.
        train: features of training images.

    Returns:
        Distances in [0, 1], for the images whose features are not all zero.

    Raises:
        ValueError: all features of a side are zero.
    """
    y, x = _directions(fake, "fake"), _directions(train, "train")
    columns = x.float().T.contiguous()
    found = []
    for part in y.split(max(1, _BLOCK // len(x))):
        nearest = x[(part.float() @ columns).abs_().argmax(1)]
        # 1 - cos is half the squared distance of the directions, or of one and the opposite of the other.
        apart, together = (part - nearest).square().sum(1), (part + nearest).square().sum(1)
        found.append(torch.minimum(apart, together) / 2)
    return torch.cat(found)


def _directions(x: Tensor, side: str) -> Float64[Tensor, "k d"]:
    values = x.double()
    norms = values.norm(dim=1, keepdim=True)
    kept = norms[:, 0] > 0
    if not kept.any():
        raise ValueError(f"{side}: mifid expects features that are not all zero, got {len(x)} such images; check them")
    return values[kept] / norms[kept]


def mifid(train: Features, fake: Features, *, threshold: float) -> Informed:
    r"""Memorisation-informed Fréchet distance of generated images from training images.

    .. math:: \mathrm{FD} / m

    Reference: Bai et al. 2021, https://arxiv.org/abs/2106.03062; code of the competition:
    https://www.kaggle.com/code/wendykan/demo-mifid-metric-for-dog-image-generation-comp.

    Args:
        train: features of training images, at least 2.
        fake: features of generated images, at least 2.
        threshold: the threshold of s, in (0, 1).

    Raises:
        ValueError: a side has fewer than 2 images, features are not finite, or all are zero.
    """
    require_images("mifid", 2, fake=fake.values, train=train.values)
    moments = moments_of(train), moments_of(fake)
    distances = cosine_distances(fake.values, train.values)
    distance, value = float(distances.mean()), moments_distance(*moments)
    error_of_distance = float(distances.std()) / len(distances) ** 0.5
    pulls = influences(*influence_of(*moments), moments[1].mean, fake.values)
    if distance >= threshold:
        return Informed(value, _error(pulls), distance, error_of_distance)
    factor = distance + _SMALL
    # Images without a direction pull on the Fréchet distance only.
    share = torch.zeros(fake.n, dtype=torch.float64)
    share[(fake.values != 0).any(1)] = (distances - distance) * (fake.n / len(distances))
    return Informed(value / factor, _error(pulls / factor - value / factor**2 * share), distance, error_of_distance)


def _error(influence: Tensor) -> float:
    return float(influence.std()) / len(influence) ** 0.5


_THRESHOLD = Setting(
    "mifid_threshold", 0.1, "mifid: threshold of the cosine distance (the competition: 0.1)", least=0, below=1
)


def _mifid(material: Material) -> Measured:
    """Score samples; floor: as many held-out images; ceiling: noise, or images of one class."""
    sets, threshold = three_sets(material, "mifid"), material.settings.mifid_threshold
    found = mifid(sets.train, sets.fake, threshold=threshold)
    over = f"{sets.fake.n} generated images, first order"
    scores = {
        "mifid": Score(found.value, found.error, over),
        "mifid_distance": Score(found.distance, found.distance_error, f"{sets.fake.n} generated images"),
    }
    if not material.calibration:
        return Measured(scores, conditions=sets.conditions)
    real = material.drawn(material.split, "mifid")[0]
    floor, ceiling = (_named(mifid(sets.train, x, threshold=threshold)) for x in (real, material.worst()))
    short = f"the floor of mifid uses all {real.n} held-out images, the score {sets.fake.n} generated images"
    return Measured(scores, floor, ceiling, sets.conditions, notes=(short,) * (real.n < sets.fake.n))


def _named(found: Informed) -> dict[str, float]:
    return {"mifid": found.value, "mifid_distance": found.distance}


METRIC = Metric(
    "mifid",
    SAMPLES,
    {"mifid": True, "mifid_distance": None},
    (_THRESHOLD,),
    1,
    _mifid,
    "Fréchet distance from the training images, divided by the cosine distance to the nearest of them where this is "
    "small; the floor is that of held-out images",
    sensible_n=SensibleN(
        1,
        "the covariance is singular, and the Fréchet distance in mifid is far above its value at more images, which "
        "its ± does not show",
        per="feature",
    ),
)
