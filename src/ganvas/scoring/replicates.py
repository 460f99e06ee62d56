"""Scores of halves of the images: what the error of a difference of two scores follows from.

Each source of a comparison is measured on its own and leaves its replicates; those of two sources are subtracted
afterwards, so that any number of sources is compared at the cost of one pass over each. How the sets of images are
treated follows from what the metric reads (:mod:`ganvas.scoring.halves` has the mathematics):

- a metric of features: the reference is common to all sources; the samples are a source's own, or pairs if two models
  drew them from the same latents. A metric of samples alone reads no reference. A reference that is a file of moments
  has no halves, and is held fixed.
- a mean over images of the reference (:attr:`ganvas.metrics.base.Measured.terms`), such as a likelihood: the images are
  the common set.
- any other metric has no replicates. The error of a difference is then the root of the sum of the squares of both
  standard errors, and the difference is called unpaired.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import torch

from ganvas.display import counted
from ganvas.extractors.features import Features
from ganvas.metrics.base import LOGITS, SAMPLE_FEATURES, Score, Settings
from ganvas.metrics.comparison import Comparison, Statistics
from ganvas.metrics.registry import key, metrics
from ganvas.scoring.found import Found
from ganvas.scoring.halves import LEAST, Contrasts, Half, Halves, freedom_of, of_terms
from ganvas.scoring.material import Gathered

UNPAIRED: Final = "unpaired"


@final
@dataclass(frozen=True)
class Spread:
    """A score or a difference of scores, with its variance by sets of images.

    Args:
        value: the score, or A minus B.
        reference: variance from the images of the reference; 0 if they are held fixed or not read.
        samples: variance from the samples.
        freedom: degrees of freedom of the sum of both; infinite for a standard error that a metric states.
        how: what a difference is paired by; empty for a single score.
        n_reference: number of images of the reference that the variance is from; 0 if there is none.
        n_samples: number of samples of a source; 0 if there are none.
    """

    value: float
    reference: float
    samples: float
    freedom: float
    how: str = ""
    n_reference: int = 0
    n_samples: int = 0

    @property
    def error(self) -> float:
        """Standard error; NaN if nothing is known of it."""
        return math.sqrt(self.reference + self.samples)


@final
@dataclass(frozen=True, eq=False)
class Replicates:
    """A score of one source, and its contrasts between halves of the images.

    Args:
        value: the score.
        reference: contrasts from the reference, or from the images that the score is a mean over; None if the reference
            is held fixed or not read.
        samples: contrasts from the samples; None if the score reads none.
        latents: seed of the latents of the samples; None for images from files.
        by: what the common set is.
        error: standard error of the score, used if there are no contrasts; None if unknown.
    """

    value: float
    reference: Contrasts | None = None
    samples: Contrasts | None = None
    latents: int | None = None
    by: str = ""
    error: float | None = None

    @property
    def spread(self) -> Spread:
        """The score with its variance."""
        if self._parts:
            return _spread(self.value, [self.reference], [self.samples], "")
        return Spread(self.value, 0.0, math.nan if self.error is None else self.error**2, math.inf)

    def minus(self, other: Replicates) -> Spread:
        """Subtract the score of another source, measured by the same protocol, with the variance of the difference.

        Args:
            other: replicates by the same halves of the reference.
        """
        value = self.value - other.value
        if not (self._parts and other._parts):
            errors = [math.nan if r.error is None else r.error for r in (self, other)]
            return Spread(value, 0.0, sum(e**2 for e in errors), math.inf, UNPAIRED)
        reference = _minus(self.reference, other.reference)
        if self.latents is None or self.latents != other.latents:
            return _spread(value, [reference], [self.samples, other.samples], _paired([self.by] if reference else []))
        samples = _minus(self.samples, other.samples)
        by = [self.by] * (reference is not None) + ["latents"] * (samples is not None)
        return _spread(value, [reference], [samples], _paired(by))

    @property
    def _parts(self) -> list[Contrasts]:
        return _known([self.reference, self.samples])


def _minus(one: Contrasts | None, other: Contrasts | None) -> Contrasts | None:
    return None if one is None or other is None else one.minus(other)


def _known(parts: Sequence[Contrasts | None]) -> list[Contrasts]:
    return [part for part in parts if part is not None]


def _spread(
    value: float, reference: Sequence[Contrasts | None], samples: Sequence[Contrasts | None], how: str
) -> Spread:
    common, own = _known(reference), _known(samples)
    return Spread(
        value,
        math.fsum(part.variance for part in common),
        math.fsum(part.variance for part in own),
        freedom_of(common + own),
        how,
        max((part.n for part in common), default=0),
        max((part.n for part in own), default=0),
    )


def _paired(by: Sequence[str]) -> str:
    return f"paired by {' and '.join(by)}" if by else "independent samples"


def replicates_of(material: Gathered, found: Found, groups: int) -> dict[str, Replicates]:
    """Compute the replicates of scores.

    Args:
        material: material of the measurement.
        found: result of the measurement.
        groups: number of groups that halves consist of, a power of two.

    Returns:
        Replicates by the keys of the scores, without those of another extractor.
    """
    known = metrics()
    extractors = {k: protocol.conditions.get("extractor", "") for k, protocol in found.protocols.items()}
    own = material.extractor().name if any(extractors.values()) else ""
    keys = [k for k, extractor in extractors.items() if extractor in ("", own)]
    names = dict.fromkeys(found.protocols[k].conditions["metric"] for k in keys)
    of_features = [name for name in names if name in known and known[name].from_features]
    made: dict[str, Sides] = {}
    if of_features:
        pair = Comparison(material.real(), material.fake(), material.settings)
        made = {key(own, name): sides for name, sides in contrasts_of(pair, of_features, groups).items()}
    return {k: _of(k, found.scores[k], found, made.get(k, Sides())) for k in keys}


def _of(k: str, score: Score, found: Found, sides: Sides) -> Replicates:
    if (terms := found.terms.get(k)) is not None and len(terms) > 1:
        return Replicates(score.value, of_terms(terms), by="image")
    # The sd of other scores is over parts of the images, such as splits, and is no error of the score.
    error = score.sd if "images" in score.sd_over else None
    seed = found.protocols[k].recorded.get("sample_seed")
    return Replicates(score.value, sides.reference, sides.samples, seed, "reference images", error)


class Sides(NamedTuple):
    """Contrasts of a score from the reference, and from the samples."""

    reference: Contrasts | None = None
    samples: Contrasts | None = None


def contrasts_of(pair: Comparison, names: Sequence[str], groups: int) -> dict[str, Sides]:
    """Compute the contrasts of metrics between halves of the reference, and between halves of the samples.

    Args:
        pair: features of both sides.
        names: names of metrics from features.
        groups: number of groups that halves consist of, a power of two; fewer are made of fewer images.

    Returns:
        The contrasts by name of the metric; none of a metric that halves have too few images for.
    """
    real, fake, settings = pair.real, pair.fake, pair.settings
    least = min(real.n, fake.n) if isinstance(real, Features) else fake.n
    if least < LEAST:
        return {name: Sides() for name in names}
    groups = min(groups, 2 ** int(math.log2(least)))
    read = [n for n in names if isinstance(real, Features) and metrics()[n].needs not in (LOGITS, SAMPLE_FEATURES)]
    alone = [name for name in names if name not in read]
    of_fake = Halves(fake.n, groups, settings.seed)
    of_real = Halves(real.n, groups, settings.seed) if isinstance(real, Features) else None
    rows = []
    for at, (one, other) in enumerate(_shown(of_fake.pairs())):
        sides = fake.take(one), fake.take(other)
        row = {name: (0.0, c) for name, c in _between(real, sides, alone, settings).items()}
        if read and isinstance(real, Features) and of_real is not None:
            row |= _crossed(tuple(map(real.take, of_real.pairs()[at])), sides, read, settings)
        rows.append(row)
    return {name: _sides([row[name] for row in rows], of_real if name in read else None, of_fake) for name in names}


def _shown(pairs: list[tuple[Half, Half]]) -> Iterator[tuple[Half, Half]]:
    """Count the divisions where a command shows its stages."""
    yield from (pair for (pair,) in counted("divisions scored", ([pair] for pair in pairs), len(pairs)))


def _between(
    real: Features | Statistics, fakes: tuple[Features, Features], names: Sequence[str], settings: Settings
) -> dict[str, float]:
    """Difference of the scores of two halves of the samples, against all of the reference."""
    one, other = (_values(real, fake, names, settings) for fake in fakes)
    return {name: one[name] - other[name] for name in names}


def _crossed(
    reals: tuple[Features, ...], fakes: tuple[Features, Features], names: Sequence[str], settings: Settings
) -> dict[str, tuple[float, float]]:
    """Both contrasts of the scores of four pairs of halves."""
    (a, b), (c, d) = ([_values(real, fake, names, settings) for fake in fakes] for real in reals)
    return {n: ((a[n] + b[n] - c[n] - d[n]) / 2, (a[n] - b[n] + c[n] - d[n]) / 2) for n in names}


def _values(real: Features | Statistics, fake: Features, names: Sequence[str], settings: Settings) -> dict[str, float]:
    """Compute scores from features; NaN for a metric that there are too few images for."""
    pair, found = Comparison(real, fake, settings, errors=False), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the score itself has warned
        for name in names:
            try:
                found[name] = metrics()[name].compute(pair).value
            except ValueError:
                found[name] = math.nan
    return found


def _sides(rows: Sequence[tuple[float, float]], real: Halves | None, fake: Halves) -> Sides:
    """Give the contrasts their scales; none if one of them is not finite, as too few of them would pass for all."""
    values = torch.tensor(rows, dtype=torch.float64)
    if not values.isfinite().all():
        return Sides()
    return Sides(None if real is None else real.contrasts(values[:, 0]), fake.contrasts(values[:, 1]))
