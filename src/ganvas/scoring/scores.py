"""From two sets of features to named scores: one mapping from a metric's name to its function.

A metric is a function of a :class:`~ganvas.scoring.comparison.Comparison`: real side, fake side and settings, with what
several metrics need computed once. To add one: one file beside this one, and one line in :data:`METRICS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ganvas.extractors.features import Features
from ganvas.metrics.density_coverage import coverage, density
from ganvas.metrics.fd_infinity import fd_infinity
from ganvas.metrics.frechet import moments_distance
from ganvas.metrics.frechet_error import frechet_error
from ganvas.metrics.inception_score import inception_score
from ganvas.metrics.kid import kernel_distance, subset_size
from ganvas.metrics.mean_error import MeanError
from ganvas.metrics.precision_recall import precision, recall
from ganvas.scoring.comparison import Comparison
from ganvas.scoring.settings import MetricSettings
from ganvas.scoring.statistics_file import Statistics


@dataclass(frozen=True)
class Score:
    """One number and how sure it is.

    Args:
        value: the score.
        sd: standard deviation over parts of the images (splits, subsets) or, where ``sd_over`` names images, standard
            error over those; None where there is none.
        sd_over: what the deviation is over and what was held, empty where there is none.
    """

    value: float
    sd: float | None
    sd_over: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """One standard deviation (over what ``sd_over`` says) either side, or None."""
        return None if self.sd is None else (self.value - self.sd, self.value + self.sd)


Metric = Callable[[Comparison], Score]


def _frechet(pair: Comparison) -> Score:
    pair.require_moments("the Fréchet distance")
    value = moments_distance(pair.real.moments, pair.fake.moments)
    return Score(value, _frechet_error(pair), f"{pair.fake.n} generated images, first order")


def _frechet_error(pair: Comparison) -> float:
    return frechet_error(pair.real.moments, pair.fake.moments, pair.fake.values)


def _fd_infinity(pair: Comparison) -> Score:
    pair.require_moments("FD-infinity")
    s = pair.settings
    value, scatter = fd_infinity(
        pair.real.moments, pair.fake.values, points=s.fd_infinity_points, share=s.fd_infinity_share, seed=s.seed
    )
    # The line's scatter is over subsets of the same images: what other images would do comes on top of it.
    sd = math.hypot(_frechet_error(pair), scatter)
    return Score(value, sd, f"{pair.fake.n} generated images, first order, and {s.fd_infinity_points} points of a line")


def _inception_score(pair: Comparison) -> Score:
    logits, s = pair.fake.logits, pair.settings
    if logits is None:
        raise ValueError(
            f"metrics: 'is' needs class logits, extractor '{pair.fake.extractor}' has none; leave 'is' out"
        )
    mean, sd = inception_score(logits, splits=s.is_splits, seed=s.seed)
    return Score(mean, sd, sd_over=is_parts(s))


def _kid(pair: Comparison) -> Score:
    real, fake, s = pair.real_features("kid"), pair.fake, pair.settings
    size, subsets = subset_size(s.kid_subset_size, real.n, fake.n), s.kid_subsets
    mean, sd = kernel_distance(real.values, fake.values, subsets=subsets, size=size, seed=s.seed)
    return kid_score(mean, sd, s, (size, real.n, fake.n))


def _precision(pair: Comparison) -> Score:
    return _share(precision(pair.membership), "generated images, real balls held")


def _recall(pair: Comparison) -> Score:
    return _share(recall(pair.membership), "real images, generated balls held")


def _density(pair: Comparison) -> Score:
    return _share(density(pair.membership, pair.settings.dc_neighbours), "generated images, real balls held")


def _coverage(pair: Comparison) -> Score:
    return _share(coverage(pair.membership), "real images, generated ones held")


def _share(found: MeanError, over: str) -> Score:
    return Score(found.mean, found.standard_error, f"{found.n} {over}")


def is_parts(settings: MetricSettings) -> str:
    """What the Inception Score's standard deviation is over."""
    return f"{settings.is_splits} splits"


def kid_score(mean: float, sd: float, settings: MetricSettings, sizes: tuple[int, int, int]) -> Score:
    """A kernel distance with its uncertainty, of which there is none where every subset is all images of both sides.

    Args:
        mean: over the subsets.
        sd: over the subsets.
        settings: of the metrics.
        sizes: images of one subset, of the real side and of the fake side.

    Returns:
        The score.
    """
    if len(set(sizes)) == 1:
        return Score(mean, sd=None, sd_over="")
    return Score(mean, sd, sd_over=f"{settings.kid_subsets} subsets of {sizes[0]}")


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "fd": _frechet,
        "fid": _frechet,
        "is": _inception_score,
        "kid": _kid,
        "precision": _precision,
        "recall": _recall,
        "density": _density,
        "coverage": _coverage,
        "fd_infinity": _fd_infinity,
    }
)
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"prdc": ("precision", "recall", "density", "coverage")})
"""Names that stand for several metrics."""


def frechet_name(extractor: str) -> str:
    """``fid`` is the Fréchet distance on the 2015 Inception and nothing else; on any other extractor it is ``fd``."""
    return "fid" if extractor == "inception" else "fd"


def standard_metrics(extractor: str, logits: bool = True) -> tuple[str, ...]:
    """The metrics that are computed where no others are asked for; without class logits there is no ``is``."""
    return (frechet_name(extractor), "is", "kid") if logits else (frechet_name(extractor), "kid")


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """Metric names with groups (``prdc``) written out, each once, in order."""
    return tuple(dict.fromkeys(metric for name in names for metric in GROUPS.get(name, (name,))))


def key(extractor: str, metric: str) -> str:
    """Name of a score in MLflow and in ``result.json``: ``score/<extractor>/<metric>``."""
    return f"score/{extractor}/{metric}"


def check_metrics(names: Sequence[str], extractor: str) -> None:
    """Refuse unknown names, and the Fréchet distance under a name that belongs to another extractor.

    Args:
        names: metric names.
        extractor: name of the extractor.

    Raises:
        ValueError: naming the metric and the right one.
    """
    for name in expand(names):
        if name not in METRICS:
            raise ValueError(f"metrics: unknown metric '{name}'; expected some of {', '.join([*METRICS, *GROUPS])}")
        if METRICS[name] is _frechet and name != frechet_name(extractor):
            raise ValueError(
                f"metrics: 'fid' means the 2015 Inception and 'fd' any other extractor, got '{name}' with extractor "
                f"'{extractor}'; use '{frechet_name(extractor)}'"
            )


def scores(
    real: Features | Statistics, fake: Features, names: Sequence[str], settings: MetricSettings
) -> dict[str, Score]:
    """Every metric asked for, from the same features.

    Args:
        real: features of real images, or their moments only, which suffice for the Fréchet distances.
        fake: features of generated images, by the same extractor.
        names: metric names, see :data:`METRICS` and :data:`GROUPS`.
        settings: what the metrics depend on besides.

    Returns:
        Scores by key ``score/<extractor>/<metric>``, in the order of ``names``.

    Raises:
        ValueError: two extractors, different channels, an unknown or misnamed metric, or too few images for one.
    """
    pair = Comparison(real, fake, settings)
    check_metrics(names, fake.extractor)
    return {key(fake.extractor, name): METRICS[name](pair) for name in expand(names)}
