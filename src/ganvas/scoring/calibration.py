r"""Calibration rows: what a perfect and a useless generator score, so that a number has a scale.

.. math:: \text{floor} = \mathrm{score}(\text{held-out}, \text{train}_n), \qquad
    \text{ceiling} = \mathrm{score}(\text{held-out}, \text{worst}_n)

Real training images in the place of generated ones are the floor: no generator is expected below it at the same n.
Uniform noise, or images of one class only, are ceilings. The same functions, settings and n as the score's own, but for
one: the kernel distance is the mean over a tenth of the score's subset pairs, the first of them. It is unbiased for any
number of pairs, and a row needs no more digits than it takes to read a score against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from ganvas.data.source import TensorExamples
from ganvas.extractors.features import Features
from ganvas.metrics.base import Score, Settings
from ganvas.metrics.registry import expand, metrics, scores
from ganvas.scoring.cache import Part
from ganvas.scoring.material import Gathered
from ganvas.scoring.protocol import library_versions
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept, Store
from ganvas.types import Shape

REVISION: Final = 1
"""Raised by every change of this file that moves a row's value."""

KID_SHARE: Final = 10
"""One in so many of the score's subset pairs."""


@dataclass(frozen=True)
class Row:
    """Scores of a stand-in for the generator.

    Args:
        n: images of the stand-in that were scored; where it is below the score's own, so is what the row can say.
        scores: by key ``score/<extractor>/<metric>``.
    """

    n: int
    scores: dict[str, Score]


def floor(held_out: Features, train: Features, n: int, names: Sequence[str], settings: Settings) -> Row:
    """Real against real: what a generator that draws from the data itself would score.

    Args:
        held_out: the reference.
        train: features of training images; n of them stand in, or all where there are fewer.
        n: generated images of the score that this row stands beside, at least 1.
        names: metric names.
        settings: of the metrics; their seed also draws the n images.

    Returns:
        The row, with the n it has.

    Raises:
        ValueError: n below 1, or too few images for a metric.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n}; give the number of generated images")
    generator = torch.Generator().manual_seed(settings.seed)
    return _row(held_out, train.take(torch.randperm(train.n, generator=generator)[:n]), names, settings)


def ceiling(held_out: Features, worst: Features, n: int, names: Sequence[str], settings: Settings) -> Row:
    """A useless generator: noise, or one that has collapsed to one class.

    Args:
        held_out: the reference.
        worst: features of :func:`uniform_noise`, or of the images of one class; drawn with replacement where there are
            fewer than n, as a collapsed generator repeats itself.
        n: generated images of the score that this row stands beside, at least 1.
        names: metric names.
        settings: of the metrics; their seed also draws the n images.

    Returns:
        The row.

    Raises:
        ValueError: n below 1, or too few images for a metric.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n}; give the number of generated images")
    generator = torch.Generator().manual_seed(settings.seed)
    if n <= worst.n:
        index = torch.randperm(worst.n, generator=generator)[:n]
    else:
        index = torch.randint(worst.n, (n,), generator=generator)
    return _row(held_out, worst.take(index), names, settings)


def uniform_noise(n: int, shape: Shape, seed: int) -> UInt8[Tensor, "n c h w"]:
    """Images whose pixels are independent and uniform.

    Args:
        n: how many.
        shape: ``(c, h, w)``.
        seed: of the pixels; the global random state is not used.

    Returns:
        ``uint8`` in [0, 255].
    """
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def _row(real: Features, fake: Features, names: Sequence[str], settings: Settings) -> Row:
    fewer = settings.replace(kid_subsets=-(-settings.kid_subsets // KID_SHARE))
    return Row(fake.n, scores(real, fake, names, fewer))


def calibrate(material: Gathered, names: Sequence[str], cache: Store | None) -> dict[str, tuple[Row, Part]]:
    """The rows that can be had, each with the images that stand in the generator's place.

    Args:
        material: of the score that the rows stand beside.
        names: of metrics from features.
        cache: has the rows of earlier measurements: neither images nor features are touched then.

    Returns:
        Rows by ``floor`` and ``ceiling``; none where only moments of the reference are known, and no floor where the
        only training images are the reference.
    """
    real = material.real()
    if not isinstance(real, Features):
        return {}

    def compute(make: Callable[..., Row], part: Part) -> Row:
        return make(real, material.cached(part), material.n, names, material.settings)

    sides: list[tuple[str, Callable[..., Row], Part]] = [("ceiling", ceiling, _worst(material))]
    if material.split != "train" and material.has("train"):
        sides.insert(0, ("floor", floor, material.some("train", "the floor")))
    return {
        side: (_kept(material, names, part, cache, partial(compute, make, part)), part) for side, make, part in sides
    }


def _worst(material: Gathered) -> Part:
    """Noise, or images of one class."""
    seed = material.settings.seed
    if material.ceiling == "one_mode":
        examples, index, label = material.one_mode()
        return Part(examples, index, f"class {label}, drawn with seed {seed}")
    images = TensorExamples(uniform_noise(material.n, material.shape, seed))
    return Part(images, torch.arange(material.n), "uniform noise")


def _kept(material: Gathered, names: Sequence[str], part: Part, cache: Store | None, compute: Callable[[], Row]) -> Row:
    """A row, from the cache where it has it."""
    if cache is None:
        return compute()
    asked, settings, extractor = [metrics()[name] for name in expand(names)], material.settings, material.extractor()
    of = {
        "what": "calibration row",
        "revision": REVISION,
        "real": material.whole(material.split, "a row").key(extractor).digest(),
        "stand_in": part.key(extractor).digest(),
        "n": material.n,
        "metrics": {m.name: [m.revision, {s.name: settings[s.name] for s in m.settings}] for m in asked},
        "seed": settings.seed,
        "versions": library_versions(),
    }
    facts = cache.get(digest(of), lambda: Kept({}, asdict(compute()))).facts
    return Row(facts["n"], {key: Score(**score) for key, score in facts["scores"].items()})
