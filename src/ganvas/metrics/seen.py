r"""What a Fréchet distance saw: the images that raise it most, those that lower it most, and where it looks in them.

Without image i the distance is, to first order in 1/m,

.. math:: \mathrm{FD}_{-i} \approx \mathrm{FD} - I_i, \qquad
    I_i = \frac{\psi(x_i) - \bar\psi}{m - 1},

with the influence :math:`\psi` of :mod:`ganvas.metrics.frechet`: an image of positive influence hurts, one of negative
influence helps. The influences sum to 0. The score ``seen`` is the sum of the largest ones, by how much the distance
falls without these images. The heat maps (:mod:`ganvas.extractors.sensitivity`) are of the distance as a function of
the features of one image, whose derivative is

.. math:: \frac{\partial\, \mathrm{FD}}{\partial f_i}
    = \frac{2 (\mu_2 - \mu_1)}{m} + \frac{2 (I - T)(f_i - \mu_2)}{m - 1}.

Reference: influence: Hampel 1974, https://doi.org/10.1080/01621459.1974.10482962; heat maps: Kynkäänniemi et al. 2023,
section 3, https://arxiv.org/abs/2203.06026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from ganvas.data import pictures
from ganvas.data.batches import model_input
from ganvas.extractors.features import Features
from ganvas.extractors.sensitivity import sensitivity
from ganvas.metrics.base import SAMPLES, Material, Measured, Metric, Score, Setting
from ganvas.metrics.comparison import moments_of
from ganvas.metrics.frechet import Moments, influence_of, influences
from ganvas.metrics.labels import read_by
from ganvas.metrics.nearest import nearest
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.validation import require_images


@final
@dataclass(frozen=True, eq=False)
class PredictedClasses:
    """Classes that the extractor predicts on both sides.

    Args:
        real: number of reference images of each class.
        fake: class of each sample.
    """

    real: Int64[Tensor, " k"]
    fake: Int64[Tensor, " m"]


def influence_on_distance(real: Moments, fake: Moments, features: Float[Tensor, "m d"]) -> Float64[Tensor, " m"]:
    r"""Compute by how much the Fréchet distance falls without each image, to first order.

    .. math:: (\psi(x_i) - \bar\psi) / (m - 1)

    Args:
        real: moments of the reference, held fixed.
        fake: moments of ``features``.
        features: features of the generated images, m at least 2.
    """
    psi = influences(*influence_of(real, fake), fake.mean, features)
    return (psi - psi.mean()) / (len(features) - 1)


def distance_at(real: Moments, fake: Moments, m: int) -> Callable[[Float[Tensor, "n d"]], Float64[Tensor, " n"]]:
    """Make a function of an image's features with the derivative of the distance of which the image is a part.

    Args:
        real: moments of the reference.
        fake: moments of the generated images.
        m: number of generated images, at least 2.
    """
    push, shape = influence_of(real, fake)

    def value(features: Float[Tensor, "n d"]) -> Float64[Tensor, " n"]:
        f = features.cpu().double()
        centred = f - fake.mean
        return f @ push / m + ((centred @ shape) * centred).sum(1) / (m - 1)

    return value


_SIDE: Final = 84
"""Smallest side of an image in the picture, in pixels."""
COUNT: Final = Setting("seen.images", 10, "number of images of seen that hurt and that help most", least=1)


def _seen(material: Material) -> Measured:
    real, fake, extractor = material.real(), material.fake(), material.extractor()
    require_images("seen", 2, fake=fake.values)
    moments = moments_of(real), moments_of(fake)
    found = influence_on_distance(*moments, fake.values)
    count = min(material.settings[COUNT.name], fake.n // 2)
    order = found.argsort(descending=True, stable=True)
    chosen = {"hurt": order[:count], "help": order.flip(0)[:count]}
    ends = torch.cat(list(chosen.values()))
    images, neighbours = material.drawn_at(ends), _nearest(material, real, fake.take(ends).values)
    heat = sensitivity(extractor, images, distance_at(*moments, fake.n))
    classes = _classes(real, fake)
    return Measured(
        {"seen": Score(float(found[order[:count]].sum()), None, "")},
        conditions={**read_by(extractor), "n_fake": fake.n},
        evidence=() if classes is None else (classes,),
        arrays={"seen": {"influence": found.numpy()}},
        pictures={"seen": _picture(images, heat, neighbours, found[ends], count)},
        details={
            **{side: list(_listed(index, found, _part(neighbours, side, count))) for side, index in chosen.items()},
            **({} if classes is None else _shares(classes, count)),
        },
    )


Neighbours = tuple[Int64[Tensor, " n"], UInt8[Tensor, "n c h w"]]
"""Positions of reference images, and the images."""


def _nearest(material: Material, real: Any, features: Tensor) -> Neighbours | None:
    """Find the nearest reference image of each image; None if only moments of the reference are known."""
    if not isinstance(real, Features):
        return None
    index = nearest(features, real.values, own=None)[1]
    return index, material.examples(material.split, "seen").batch(index)


def _part(neighbours: Neighbours | None, side: str, count: int) -> list[int] | None:
    if neighbours is None:
        return None
    return neighbours[0][slice(count) if side == "hurt" else slice(count, None)].tolist()


def _listed(index: Tensor, influence: Tensor, neighbours: list[int] | None) -> Iterator[dict[str, Any]]:
    for row, i in enumerate(index.tolist()):
        facts: dict[str, Any] = {"index": i, "influence": float(influence[i])}
        yield facts if neighbours is None else {**facts, "nearest": neighbours[row]}


def _classes(real: Any, fake: Features) -> PredictedClasses | None:
    if not isinstance(real, Features) or real.logits is None or fake.logits is None:
        return None
    counts = real.logits.argmax(1).bincount(minlength=real.logits.shape[1])
    return PredictedClasses(counts, fake.logits.argmax(1))


def _shares(classes: PredictedClasses, count: int) -> dict[str, list[dict[str, Any]]]:
    """List the classes that are rarer, and those that are more frequent, among the samples than in the reference."""
    real = classes.real.double() / classes.real.sum()
    fake = classes.fake.bincount(minlength=len(real)).double() / len(classes.fake)
    excess = fake - real
    order = excess.argsort(stable=True)
    sides = {"rare": order[excess[order] < 0], "frequent": order.flip(0)[excess[order.flip(0)] > 0]}
    return {
        f"{name}_classes": [
            {"class": c, "reference": float(real[c]), "samples": float(fake[c])} for c in side[:count].tolist()
        ]
        for name, side in sides.items()
    }


def _picture(
    images: Tensor, heat: Tensor, neighbours: Neighbours | None, influence: Tensor, count: int
) -> UInt8[Tensor, "3 _ _"]:
    """Draw the images that hurt and those that help, each with its heat map and its nearest reference image."""
    larger = max(1, -(-_SIDE // max(images.shape[2:])))  # heat has more places on larger pixels
    x, rows = model_input(images).repeat_interleave(larger, 2).repeat_interleave(larger, 3), []
    heat = functional.interpolate(heat[:, None], x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    for name, side in (("hurts", slice(count)), ("helps", slice(count, None))):
        shown = pictures.grid(x[side], count)
        rows.append((f"{name} most", shown))
        rows.append(("influence", pictures.words([f"{value:+.2g}" for value in influence[side].tolist()], shown)))
        rows.append(("looks here", pictures.grid(pictures.heated(x[side], heat[side]), count)))
        if neighbours is not None:
            near = model_input(neighbours[1][side])
            rows.append(("nearest real", pictures.grid(functional.interpolate(near, x.shape[2:]), count)))
    return pictures.labelled(rows)


METRIC = Metric(
    "seen",
    SAMPLES,
    {"seen": None},
    (COUNT,),
    1,
    _seen,
    "what the Fréchet distance saw: by how much it falls without the images that hurt it most; these and those that "
    "help most, with heat maps, in `seen.png` and `result.json`",
    sensible_n=SensibleN(
        1, "the covariance is singular, and the influence of an image leaves out directions", per="feature"
    ),
    in_blocks=True,
)
