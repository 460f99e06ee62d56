"""Registry of metrics: shipped metrics, metrics of other packages, and functions of their registrations.

An installed package adds its metrics to every command by an entry point in its ``pyproject.toml``::

    [project.entry-points."ganvas.metrics"]
    sharpness = "my_package.sharpness:METRIC"

In Python, or for a package that is not installed, :func:`register` adds a metric for one process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final

from ganvas.extractors.features import Features
from ganvas.metrics import (
    active_units,
    alpha_precision,
    c_t,
    cas,
    classification,
    cmmd,
    code_bits,
    dci,
    density_coverage,
    elbo,
    factor_vae_score,
    fd_infinity,
    fd_shrunk,
    fld,
    frechet,
    inception_score,
    intra_fd,
    is_infinity,
    kid,
    kid_kernels,
    label_accuracy,
    lpips,
    memorisation,
    mifid,
    mig,
    mind,
    modes,
    ms_ssim,
    nll,
    parzen,
    ppl,
    precision_recall,
    probabilistic_precision_recall,
    psnr,
    rarity,
    rfd,
    sap,
    seen,
    ssim,
    stacked_modes,
    swd,
    topp_r,
    vendi,
)
from ganvas.metrics.base import LOGITS, SEED, Metric, Score, Setting, Settings
from ganvas.metrics.comparison import Comparison, Statistics

_SHIPPED = (
    *frechet.METRICS,
    inception_score.METRIC,
    kid.METRIC,
    *precision_recall.METRICS,
    *density_coverage.METRICS,
    rarity.METRIC,
    *probabilistic_precision_recall.METRICS,
    *alpha_precision.METRICS,
    *topp_r.METRICS,
    fd_infinity.METRIC,
    fd_shrunk.METRIC,
    is_infinity.METRIC,
    *kid_kernels.METRICS,
    cmmd.METRIC,
    mind.METRIC,
    swd.METRIC,
    vendi.METRIC,
    elbo.METRIC,
    nll.METRIC,
    active_units.METRIC,
    classification.METRIC,
    code_bits.METRIC,
    parzen.METRIC,
    memorisation.METRIC,
    c_t.METRIC,
    mifid.METRIC,
    fld.METRIC,
    modes.METRIC,
    stacked_modes.METRIC,
    label_accuracy.METRIC,
    intra_fd.METRIC,
    cas.METRIC,
    mig.METRIC,
    dci.METRIC,
    sap.METRIC,
    factor_vae_score.METRIC,
    psnr.METRIC,
    ssim.METRIC,
    lpips.METRIC,
    rfd.METRIC,
    ms_ssim.METRIC,
    ppl.METRIC,
    seen.METRIC,
)
ENTRY_POINTS: Final = "ganvas.metrics"
_registered: dict[str, Metric] = {metric.name: metric for metric in _SHIPPED}
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "prdc": ("precision", "recall", "density", "coverage"),
        "topp_r": ("topp_precision", "topp_recall", "topp_f1"),
    }
)
"""Names that stand for several metrics."""
OF_CLASSES: Final = ("label_accuracy", "intra_fd")
"""Metrics that are computed by default of samples with classes, if they apply to the reference and the extractor."""


OF_PREDICTIONS: Final = ("label_accuracy",)
"""Metrics that read predicted classes of an extractor, besides those that need nothing else."""


def register(metric: Metric) -> None:
    """Register a metric for the rest of the process; registering the same metric again does nothing.

    Args:
        metric: its name must not be the name of another metric.

    Raises:
        TypeError: ``metric`` is not a :class:`~ganvas.metrics.base.Metric`.
        ValueError: another metric has the name.
    """
    if not isinstance(metric, Metric):
        raise TypeError(f"expected a ganvas.metrics.Metric, got {type(metric).__name__}; register METRIC itself")
    if _registered.setdefault(metric.name, metric) is not metric:
        raise ValueError(f"metrics: '{metric.name}' is another metric's name; choose another name")


@contextmanager
def registered(metric: Metric) -> Iterator[None]:
    """Register a metric inside the block; see :func:`register`."""
    register(metric)
    try:
        yield
    finally:
        del _registered[metric.name]


def metrics() -> Mapping[str, Metric]:
    """Return all metrics by name."""
    _register_installed()
    return MappingProxyType(_registered)


@cache
def _register_installed() -> None:
    """Register the metrics of other installed packages, once; warn of a metric that cannot be loaded."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            register(entry.load())
        except Exception as error:  # another package may raise any error, which must not stop a training
            warnings.warn(f"metrics: '{entry.name}' ({entry.value}) cannot be used: {error}", stacklevel=3)


def settings_of(stated: Mapping[str, Any]) -> Settings:
    """Make the settings of all metrics: the stated values, and the default for every other setting.

    Args:
        stated: values by name, for example ``kid_subsets`` or ``likelihood.k``.

    Raises:
        ValueError: no metric has a setting of this name, or a value is out of range.
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


FRECHET: Final[Mapping[str, str]] = MappingProxyType({"inception": "fid", "inception_spatial": "sfid"})
"""Names of the Fréchet distance on extractors with which it has a name of its own."""


def frechet_name(extractor: str) -> str:
    """Name of the Fréchet distance: ``fid`` on the 2015 Inception, ``fd`` on extractors without a name of its own."""
    return FRECHET.get(extractor, "fd")


def computable(name: str, extractor: str, logits: bool) -> bool:
    """Whether a metric can be computed on an extractor, as its name and its need of class logits say.

    Args:
        name: name of a metric or group.
        extractor: name of the extractor.
        logits: whether the extractor has class logits.
    """
    if name in ("fd", *FRECHET.values()):
        return name == frechet_name(extractor)
    metric = metrics().get(name)
    return logits or metric is None or (metric.needs != LOGITS and name not in OF_PREDICTIONS)


def standard_metrics(extractor: str, logits: bool = True) -> tuple[str, ...]:
    """Names of the metrics that are computed by default; without class logits there is no ``is``."""
    return (frechet_name(extractor), "is", "kid") if logits else (frechet_name(extractor), "kid")


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """Replace groups (``prdc``) by their metrics; each name occurs once, in order."""
    return tuple(dict.fromkeys(metric for name in names for metric in GROUPS.get(name, (name,))))


def key(kind: str, name: str) -> str:
    """Name of a score in MLflow and in ``result.json``: ``score/<kind>/<name>``."""
    return f"score/{kind}/{name}"


def lower_is_better(key: str) -> bool | None:
    """Direction of a score, by which reports rank.

    Args:
        key: ``<phase>/<kind>/<name>``, for example ``score/mnist/fd``.

    Returns:
        Whether lower is better; None if the score is unknown or does not measure quality (such as an ELBO's KL term).
    """
    *_, kind, name = ["", *key.split("/")]
    for metric in metrics().values():
        for pattern, lower in metric.lower_is_better.items():
            if fnmatchcase(name, pattern) and metric.kind in ("", kind):
                return lower
    return None


def check_metrics(names: Sequence[str], extractor: str) -> None:
    """Check names of metrics that are functions of features.

    Args:
        names: names of metrics or groups.
        extractor: name of the extractor.

    Raises:
        ValueError: a name is unknown, or ``fid``, ``sfid`` or ``fd`` is used with the wrong extractor.
    """
    for name in expand(names):
        if name not in metrics() or not metrics()[name].from_features:
            known = [*(m.name for m in metrics().values() if m.from_features), *GROUPS]
            raise ValueError(f"metrics: unknown metric '{name}'; expected some of {', '.join(known)}")
        if name in ("fd", *FRECHET.values()) and name != frechet_name(extractor):
            raise ValueError(
                f"metrics: 'fid' means the 2015 Inception, 'sfid' its spatial features and 'fd' any other extractor, "
                f"got '{name}' with extractor '{extractor}'; use '{frechet_name(extractor)}'"
            )


def scores(
    real: Features | Statistics, fake: Features, names: Sequence[str], settings: Settings, *, errors: bool = True
) -> dict[str, Score]:
    """Compute all requested metrics from the same features.

    Args:
        real: features of real images, or only their moments, which are enough for the Fréchet distances.
        fake: features of generated images, by the same extractor.
        names: names of metrics from features, or of groups.
        settings: settings of all metrics.
        errors: see :class:`~ganvas.metrics.comparison.Comparison`.

    Returns:
        Scores by key ``score/<extractor>/<metric>``, in the order of ``names``.

    Raises:
        ValueError: the sides have different extractors or channels, a metric's name is unknown or wrong, or a metric
            needs more images.
    """
    pair = Comparison(real, fake, settings, errors)
    check_metrics(names, fake.extractor)
    found = {}
    for name in expand(names):
        metric = metrics()[name]
        if metric.needs == LOGITS and fake.logits is None:
            raise ValueError(
                f"metrics: '{name}' needs class logits, extractor '{fake.extractor}' has none; leave '{name}' out"
            )
        found[key(fake.extractor, name)] = metric.compute(pair if metric.in_blocks else pair.in_memory())
    return found
