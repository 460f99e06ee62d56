"""From two sets of features to named scores: one mapping from a metric's name to its function.

A metric is a function of the real features, the fake features and the settings. To add one: one file beside this one,
and one line in :data:`METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ganvas.metrics.features import Features
from ganvas.metrics.frechet import frechet_distance
from ganvas.metrics.inception_score import inception_score
from ganvas.metrics.kid import kernel_distance, subset_size
from ganvas.metrics.settings import MetricSettings


@dataclass(frozen=True)
class Score:
    """One number and how sure it is.

    Args:
        value: the score.
        sd: standard deviation over parts of the images, None where the metric has no parts.
        sd_over: what those parts are, empty where there are none.
    """

    value: float
    sd: float | None
    sd_over: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """One standard deviation (over ``sd_over``, not of the mean) either side, or None."""
        return None if self.sd is None else (self.value - self.sd, self.value + self.sd)


Metric = Callable[[Features, Features, MetricSettings], Score]


def _frechet(real: Features, fake: Features, settings: MetricSettings) -> Score:
    return Score(frechet_distance(real.values, fake.values), sd=None, sd_over="")


def _inception_score(real: Features, fake: Features, settings: MetricSettings) -> Score:
    if fake.logits is None:
        raise ValueError(f"metrics: 'is' needs class logits, extractor '{fake.extractor}' has none; leave 'is' out")
    mean, sd = inception_score(fake.logits, splits=settings.is_splits, seed=settings.seed)
    return Score(mean, sd, sd_over=is_parts(settings))


def _kid(real: Features, fake: Features, settings: MetricSettings) -> Score:
    size, subsets = subset_size(settings.kid_subset_size, real.n, fake.n), settings.kid_subsets
    mean, sd = kernel_distance(real.values, fake.values, subsets=subsets, size=size, seed=settings.seed)
    return kid_score(mean, sd, settings, (size, real.n, fake.n))


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


METRICS: Mapping[str, Metric] = MappingProxyType({"fd": _frechet, "fid": _frechet, "is": _inception_score, "kid": _kid})


def frechet_name(extractor: str) -> str:
    """``fid`` is the Fréchet distance on the 2015 Inception and nothing else; on any other extractor it is ``fd``."""
    return "fid" if extractor == "inception" else "fd"


def standard_metrics(extractor: str) -> tuple[str, ...]:
    """The metrics that are computed where no others are asked for."""
    return frechet_name(extractor), "is", "kid"


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
    for name in names:
        if name not in METRICS:
            raise ValueError(f"metrics: unknown metric '{name}'; expected some of {', '.join(METRICS)}")
        if METRICS[name] is _frechet and name != frechet_name(extractor):
            raise ValueError(
                f"metrics: 'fid' means the 2015 Inception and 'fd' any other extractor, got '{name}' with extractor "
                f"'{extractor}'; use '{frechet_name(extractor)}'"
            )


def scores(real: Features, fake: Features, names: Sequence[str], settings: MetricSettings) -> dict[str, Score]:
    """Every metric asked for, from the same features.

    Args:
        real: features of real images.
        fake: features of generated images, by the same extractor.
        names: metric names, see :data:`METRICS`.
        settings: what the metrics depend on besides.

    Returns:
        Scores by key ``score/<extractor>/<metric>``, in the order of ``names``.

    Raises:
        ValueError: two extractors, an unknown or misnamed metric, or too few images for one.
    """
    if (real.extractor, real.weights_hash) != (fake.extractor, fake.weights_hash):
        raise ValueError(
            f"fake: features of extractor '{fake.extractor}' ({fake.weights_hash[:8]}) cannot be scored against those "
            f"of '{real.extractor}' ({real.weights_hash[:8]}); extract both sides with one extractor"
        )
    check_metrics(names, fake.extractor)
    return {key(fake.extractor, name): METRICS[name](real, fake, settings) for name in names}
