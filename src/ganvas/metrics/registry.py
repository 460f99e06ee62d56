"""The metrics there are: shipped ones and those of other packages, and what follows from their registrations.

An installed package brings its metrics to every command by an entry point, in its ``pyproject.toml``::

    [project.entry-points."ganvas.metrics"]
    sharpness = "my_package.sharpness:METRIC"

In Python, and for a package that is not installed, :func:`register` does the same for one process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

from ganvas.extractors.features import Features
from ganvas.metrics import (
    active_units,
    density_coverage,
    elbo,
    fd_infinity,
    frechet,
    inception_score,
    kid,
    memorisation,
    modes,
    nll,
    parzen,
    precision_recall,
    stacked_modes,
)
from ganvas.metrics.base import LOGITS, SEED, Metric, Score, Setting, Settings
from ganvas.metrics.comparison import Comparison, Statistics

_SHIPPED = (
    *frechet.METRICS,
    inception_score.METRIC,
    kid.METRIC,
    *precision_recall.METRICS,
    *density_coverage.METRICS,
    fd_infinity.METRIC,
    elbo.METRIC,
    nll.METRIC,
    active_units.METRIC,
    parzen.METRIC,
    memorisation.METRIC,
    modes.METRIC,
    stacked_modes.METRIC,
)
ENTRY_POINTS: Final = "ganvas.metrics"
_registered: dict[str, Metric] = {metric.name: metric for metric in _SHIPPED}
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"prdc": ("precision", "recall", "density", "coverage")})
"""Names that stand for several metrics."""


def register(metric: Metric) -> None:
    """Make a metric of another package known for the rest of the process; the same one may be registered again.

    Args:
        metric: with a name that no other metric has.

    Raises:
        TypeError: it is no metric.
        ValueError: another metric has the name.
    """
    if not isinstance(metric, Metric):
        raise TypeError(f"expected a ganvas.metrics.Metric, got {type(metric).__name__}; register METRIC itself")
    if _registered.setdefault(metric.name, metric) is not metric:
        raise ValueError(f"metrics: '{metric.name}' is another metric's name; choose another name")


@contextmanager
def registered(metric: Metric) -> Iterator[None]:
    """Make a metric known inside the block.

    Args:
        metric: see :func:`register`.
    """
    register(metric)
    try:
        yield
    finally:
        del _registered[metric.name]


def metrics() -> Mapping[str, Metric]:
    """All metrics by name."""
    _register_installed()
    return MappingProxyType(_registered)


@cache
def _register_installed() -> None:
    """Register the metrics of other installed packages, once; one that cannot be had costs a warning."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register(entry.load())
        except Exception as error:  # another package's code may raise anything, and no training depends on it
            warnings.warn(f"metrics: '{entry.name}' ({entry.value}) cannot be used: {error}", stacklevel=3)


def settings_of(stated: Mapping[str, Any]) -> Settings:
    """All settings: the stated values, and the shipped ones for what is not stated.

    Args:
        stated: by name, as ``kid_subsets`` or ``likelihood.k``.

    Raises:
        ValueError: a name that no metric has, or a value out of range.
    """
    known = {setting.name: setting for setting in all_settings()}
    for name in stated:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]}?" if close else "."
            raise ValueError(f"settings: no metric has '{name}'{meant} There are {', '.join(known)}")
    values = {name: stated.get(name, setting.value) for name, setting in known.items()}
    for name, value in values.items():
        known[name].check(value)
    return Settings(values)


def all_settings() -> Iterator[Setting]:
    """The settings of all metrics, each once."""
    yield from {s.name: s for s in (SEED, *(s for metric in metrics().values() for s in metric.settings))}.values()


def frechet_name(extractor: str) -> str:
    """``fid`` is the Fréchet distance on the 2015 Inception and nothing else; on any other extractor it is ``fd``."""
    return "fid" if extractor == "inception" else "fd"


def standard_metrics(extractor: str, logits: bool = True) -> tuple[str, ...]:
    """The metrics that are computed where no others are asked for; without class logits there is no ``is``."""
    return (frechet_name(extractor), "is", "kid") if logits else (frechet_name(extractor), "kid")


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """Metric names with groups (``prdc``) written out, each once, in order."""
    return tuple(dict.fromkeys(metric for name in names for metric in GROUPS.get(name, (name,))))


def key(kind: str, name: str) -> str:
    """Name of a score in MLflow and in ``result.json``: ``score/<kind>/<name>``."""
    return f"score/{kind}/{name}"


def lower_is_better(key: str) -> bool | None:
    """Direction of a score, so that no report ranks a Fréchet distance upside down.

    Args:
        key: ``<phase>/<kind>/<name>``, as ``score/mnist/fd``.

    Returns:
        Whether less is better; None where the score is not known, or says nothing of quality (an ELBO's KL term).
    """
    *_, kind, name = ["", *key.split("/")]
    for metric in metrics().values():
        if name in metric.lower_is_better and metric.kind in ("", kind):
            return metric.lower_is_better[name]
    return None


def check_metrics(names: Sequence[str], extractor: str) -> None:
    """Refuse unknown names, and the Fréchet distance under a name that belongs to another extractor.

    Args:
        names: of metrics from features.
        extractor: name of the extractor.

    Raises:
        ValueError: naming the metric and the right one.
    """
    for name in expand(names):
        if name not in metrics() or not metrics()[name].from_features:
            known = [*(m.name for m in metrics().values() if m.from_features), *GROUPS]
            raise ValueError(f"metrics: unknown metric '{name}'; expected some of {', '.join(known)}")
        if name in ("fd", "fid") and name != frechet_name(extractor):
            raise ValueError(
                f"metrics: 'fid' means the 2015 Inception and 'fd' any other extractor, got '{name}' with extractor "
                f"'{extractor}'; use '{frechet_name(extractor)}'"
            )


def scores(real: Features | Statistics, fake: Features, names: Sequence[str], settings: Settings) -> dict[str, Score]:
    """Every metric asked for, from the same features.

    Args:
        real: features of real images, or their moments only, which suffice for the Fréchet distances.
        fake: features of generated images, by the same extractor.
        names: of metrics from features, or of groups.
        settings: of all metrics.

    Returns:
        Scores by key ``score/<extractor>/<metric>``, in the order of ``names``.

    Raises:
        ValueError: two extractors, different channels, an unknown or misnamed metric, or too few images for one.
    """
    pair = Comparison(real, fake, settings)
    check_metrics(names, fake.extractor)
    found = {}
    for name in expand(names):
        metric = metrics()[name]
        if metric.needs == LOGITS and fake.logits is None:
            raise ValueError(
                f"metrics: '{name}' needs class logits, extractor '{fake.extractor}' has none; leave '{name}' out"
            )
        found[key(fake.extractor, name)] = metric.compute(pair)
    return found
