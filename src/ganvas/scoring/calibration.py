r"""Calibration rows: what a perfect and a useless generator score, so that a number has a scale.

.. math:: \text{floor} = \mathrm{score}(\text{held-out}, \text{train}_n), \qquad
    \text{ceiling} = \mathrm{score}(\text{held-out}, \text{worst}_n)

Real training images in the place of generated ones are the floor: no generator is expected below it at the same n.
Uniform noise, or images of one class only, are ceilings. The same functions, settings and n as the score's own, but for
one: the kernel distance is the mean over a tenth of the score's subset pairs, the first of them. It is unbiased for any
number of pairs, and a row needs no more digits than it takes to read a score against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import UInt8
from torch import Tensor

from ganvas.extractors.features import Features
from ganvas.metrics.base import Score, Settings
from ganvas.metrics.registry import scores
from ganvas.types import Shape

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
