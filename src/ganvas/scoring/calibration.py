r"""Calibration rows: scores of a perfect and of a useless generator, which give a scale for other scores.

.. math:: \text{floor} = \mathrm{score}(\text{held-out}, \text{train}_n), \qquad
    \text{ceiling} = \mathrm{score}(\text{held-out}, \text{worst}_n)

For the floor, real training images take the place of generated images; no generator is expected to score better at the
same n. For the ceiling, uniform noise or images of one class take their place. Functions, settings and n are those of
the score, with one exception: the kernel distance is the mean over the first tenth of the score's subset pairs. It is
unbiased for any number of pairs, and this precision is enough for a comparison with the score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch

from ganvas.extractors.features import Features
from ganvas.metrics.base import Score, Settings
from ganvas.metrics.registry import expand, metrics, scores
from ganvas.scoring.cache import Part
from ganvas.scoring.material import Gathered
from ganvas.scoring.protocol import library_versions
from ganvas.scoring.worst import as_many, worst_images
from ganvas.storage.digest import digest
from ganvas.storage.store import Kept, Store

REVISION: Final = 1
"""Increase it with every change of this file that changes a row's value."""

KID_SHARE: Final = 10
"""Divisor of the score's number of subset pairs."""


@dataclass(frozen=True)
class Row:
    """Scores of images that take the place of generated images.

    Args:
        n: number of these images; if it is below the score's n, the row is less comparable with the score.
        scores: scores by key ``score/<extractor>/<metric>``.
    """

    n: int
    scores: dict[str, Score]


def floor(held_out: Features, train: Features, n: int, names: Sequence[str], settings: Settings) -> Row:
    """Score real training images: the result of a generator that draws from the data.

    Args:
        held_out: features of the reference.
        train: features of training images; n of them are scored, or all if there are fewer.
        n: number of generated images of the score to calibrate, at least 1.
        names: metric names.
        settings: settings of all metrics; their seed also draws the n images.

    Raises:
        ValueError: n is below 1, or a metric needs more images.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n}; give the number of generated images")
    generator = torch.Generator().manual_seed(settings.seed)
    return _row(held_out, train.take(torch.randperm(train.n, generator=generator)[:n]), names, settings)


def ceiling(held_out: Features, worst: Features, n: int, names: Sequence[str], settings: Settings) -> Row:
    """Score a useless generator: noise, or one that has collapsed to one class.

    Args:
        held_out: features of the reference.
        worst: features of noise, or of the images of one class; drawn with replacement if there are
            fewer than n, as a collapsed generator repeats images.
        n: number of generated images of the score to calibrate, at least 1.
        names: metric names.
        settings: settings of all metrics; their seed also draws the n images.

    Raises:
        ValueError: n is below 1, or a metric needs more images.
    """
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n}; give the number of generated images")
    return _row(held_out, as_many(worst, n, settings.seed), names, settings)


def _row(real: Features, fake: Features, names: Sequence[str], settings: Settings) -> Row:
    fewer = settings.replace(kid_subsets=-(-settings.kid_subsets // KID_SHARE))
    return Row(fake.n, scores(real, fake, names, fewer, errors=False))


def calibrate(material: Gathered, names: Sequence[str], cache: Store | None) -> dict[str, tuple[Row, Part]]:
    """Compute floor and ceiling of a score, each with the images that take the place of generated images.

    Args:
        material: material of the score to calibrate.
        names: names of metrics from features.
        cache: store of rows; a row in it needs neither images nor features. None computes the rows.

    Returns:
        Rows by ``floor`` and ``ceiling``. There are no rows if only statistics of the reference are known, and there
        is no floor if the only training images are the reference.
    """
    real = material.real()
    if not isinstance(real, Features) or not material.has(material.split):
        return {}

    def compute(make: Callable[..., Row], part: Part) -> Row:
        return make(real, material.cached(part), material.n_stand_ins, names, material.settings)

    sides: list[tuple[str, Callable[..., Row], Part]] = [("ceiling", ceiling, worst_images(material))]
    if material.split != "train" and material.has("train"):
        sides.insert(0, ("floor", floor, material.some("train", "the floor")))
    return {
        side: (_kept(material, names, part, cache, partial(compute, make, part)), part) for side, make, part in sides
    }


def _kept(material: Gathered, names: Sequence[str], part: Part, cache: Store | None, compute: Callable[[], Row]) -> Row:
    """Read the row from the cache, or compute and store it."""
    if cache is None:
        return compute()
    asked, settings, extractor = [metrics()[name] for name in expand(names)], material.settings, material.extractor()
    of = {
        "what": "calibration row",
        "revision": REVISION,
        "real": material.whole(material.split, "a row").key(extractor).digest(),
        "stand_in": part.key(extractor).digest(),
        "n": material.n_stand_ins,
        "metrics": {m.name: [m.revision, {s.name: settings[s.name] for s in m.settings}] for m in asked},
        "seed": settings.seed,
        "versions": library_versions(),
    }
    facts = cache.get(digest(of), lambda: Kept({}, _facts(compute()))).facts
    return Row(facts["n"], {key: Score(**score) for key, score in facts["scores"].items()})


def _facts(row: Row) -> dict[str, Any]:
    """Convert a row to what the cache keeps; other versions of ganvas read it too."""
    scores = {key: {"value": s.value, "sd": s.sd, "sd_over": s.sd_over} for key, s in row.scores.items()}
    return {"n": row.n, "scores": scores}
