"""Scores computed again without groups of images: what the error of a difference of two scores follows from.

Each source of a comparison is measured on its own and leaves its replicates; those of two sources are subtracted
afterwards, so that any number of sources is compared at the cost of one pass over each. How the sets of images are
treated follows from what the metric reads:

- a metric of features: the reference is common to all sources, the samples are a source's own, or pairs if two models
  drew them from the same latents. A metric of samples alone reads no reference; of a reference that is a file of
  moments nothing can be left out, and it is held fixed.
- a mean over images of the reference (:attr:`ganvas.metrics.base.Measured.terms`), such as a likelihood: the images are
  the common set, left out one at a time.
- any other metric has no replicates. The error of a difference is then the root of the sum of the squares of both
  standard errors, and the difference is called unpaired.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import torch
from jaxtyping import Float64
from torch import Tensor

from ganvas.display import counted
from ganvas.extractors.features import Features
from ganvas.metrics.base import LOGITS, SAMPLE_FEATURES, Score, Settings
from ganvas.metrics.comparison import Comparison, Statistics
from ganvas.metrics.registry import key, metrics
from ganvas.scoring.found import Found
from ganvas.scoring.jackknife import LeftOut, freedom_of, without_each
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
    """A score of one source, and its values without groups of images.

    Args:
        value: the score.
        reference: values without groups of the reference, or of the images that the score is a mean over; None if the
            reference is held fixed or not read.
        samples: values without groups of the samples; None if the score reads none.
        latents: seed of the latents of the samples; None for images from files.
        by: what the common set is.
        error: standard error of the score, used if there are no values; None if unknown.
    """

    value: float
    reference: LeftOut | None = None
    samples: LeftOut | None = None
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
            other: replicates without the same groups.
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
    def _parts(self) -> list[LeftOut]:
        return _known([self.reference, self.samples])


def _minus(one: LeftOut | None, other: LeftOut | None) -> LeftOut | None:
    return None if one is None or other is None else one.minus(other)


def _known(parts: Sequence[LeftOut | None]) -> list[LeftOut]:
    return [part for part in parts if part is not None]


def _spread(value: float, reference: Sequence[LeftOut | None], samples: Sequence[LeftOut | None], how: str) -> Spread:
    common, own = _known(reference), _known(samples)
    variances = [math.fsum(part.variance for part in parts) for parts in (common, own)]
    counts = [max((part.n for part in parts), default=0) for parts in (common, own)]
    return Spread(value, *variances, freedom_of(common + own), how, *counts)


def _paired(by: Sequence[str]) -> str:
    return f"paired by {' and '.join(by)}" if by else "independent samples"


def replicates(material: Gathered, found: Found, groups: int) -> dict[str, Replicates]:
    """Compute the replicates of scores.

    Args:
        material: material of the measurement.
        found: result of the measurement.
        groups: number of groups, at least 2; a set of fewer images has groups of one image.

    Returns:
        Replicates by the keys of the scores.
    """
    known = metrics()
    names = dict.fromkeys(protocol.conditions["metric"] for protocol in found.protocols.values())
    of_features = [name for name in names if name in known and known[name].from_features]
    made: dict[str, Sides] = {}
    if of_features:
        pair = Comparison(material.real(), material.fake(), material.settings)
        made = {key(pair.fake.extractor, name): sides for name, sides in left_out(pair, of_features, groups).items()}
    return {k: _of(k, score, found, made.get(k, Sides())) for k, score in found.scores.items()}


def _of(k: str, score: Score, found: Found, sides: Sides) -> Replicates:
    if (terms := found.terms.get(k)) is not None and len(terms) > 1:
        return Replicates(score.value, _without_one(terms), by="image")
    # The sd of other scores is over parts of the images, such as splits, and is no error of the score.
    error = score.sd if "images" in score.sd_over else None
    seed = found.protocols[k].recorded.get("sample_seed")
    return Replicates(score.value, sides.reference, sides.samples, seed, "reference images", error)


def _without_one(terms: Float64[Tensor, " n"]) -> LeftOut:
    """Mean of the terms without each of them."""
    return LeftOut((terms.sum() - terms) / (len(terms) - 1), 1, len(terms))


class Sides(NamedTuple):
    """Values of a score without groups of the reference, and without groups of the samples."""

    reference: LeftOut | None = None
    samples: LeftOut | None = None


def left_out(pair: Comparison, names: Sequence[str], groups: int) -> dict[str, Sides]:
    """Compute metrics of features without each group of the reference, and without each group of the samples.

    Args:
        pair: features of both sides.
        names: names of metrics from features.
        groups: number of groups, at least 2.

    Returns:
        The values by name of the metric; none of a metric that too few images are left for.
    """
    real, fake, settings = pair.real, pair.fake, pair.settings
    read = [name for name in names if metrics()[name].needs not in (LOGITS, SAMPLE_FEATURES)]
    of_real: dict[str, LeftOut] = {}
    if isinstance(real, Features) and read:
        of_real = _each(real.n, groups, settings.seed, lambda kept: _values(real.take(kept), fake, read, settings))
    of_fake = _each(fake.n, groups, settings.seed, lambda kept: _values(real, fake.take(kept), names, settings))
    # Half of the variance would pass for the whole one.
    lost = set(read if isinstance(real, Features) else ()) - of_real.keys() | set(names) - of_fake.keys()
    return {name: Sides() if name in lost else Sides(of_real.get(name), of_fake[name]) for name in names}


def _values(real: Features | Statistics, fake: Features, names: Sequence[str], settings: Settings) -> dict[str, float]:
    """Compute scores from features; NaN for a metric that too few images are left for."""
    pair, found = Comparison(real, fake, settings), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the score itself has warned
        for name in names:
            try:
                found[name] = metrics()[name].compute(pair).value
            except ValueError:
                found[name] = math.nan
    return found


def _each(n: int, groups: int, seed: int, compute: Callable[[Tensor], dict[str, float]]) -> dict[str, LeftOut]:
    """Compute scores without each group of a set, and keep those that have a finite value without every group."""
    groups = min(groups, n)
    kept = counted("groups left out", ([index] for index in without_each(n, groups, seed)), groups)
    rows = [compute(index) for (index,) in kept]
    values = {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}
    return {name: LeftOut(v, n // groups, n) for name, v in values.items() if v.isfinite().all()}
