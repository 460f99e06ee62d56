"""The form of a metric: what it is called, what it needs, which way is better, its settings, its mathematics.

A metric's file ends with its :class:`Metric` values. Everything else follows: the names that ``metrics=[...]``
takes, the config's keys and their shipped values, the direction in reports, the conditions and the fingerprint of each
score, and the table in the docs. :mod:`ganvas.metrics.registry` lists the shipped ones; others join by ``register``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from torch import Tensor

from ganvas.data.source import Examples, Source
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.types import Batch, BoundsEvidence, Shape

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison, Statistics

MOMENTS: Final = "moments of the reference's features, and features of the samples"
FEATURES: Final = "features of both sides"
LOGITS: Final = "class logits of the samples"
SAMPLES: Final = "samples, and images or points of the reference"
MODEL: Final = "a model that bounds the evidence"
FROM_FEATURES: Final = (MOMENTS, FEATURES, LOGITS)
"""Needs of metrics that are functions of two sets of features."""


@final
@dataclass(frozen=True)
class Score:
    """One number and how sure it is.

    Args:
        value: the score.
        sd: standard deviation over parts of the images (splits, subsets) or, where ``sd_over`` names images, standard
            error over those; None where there is none.
        sd_over: what the deviation is over and what was held; empty where there is none.
    """

    value: float
    sd: float | None
    sd_over: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """One standard deviation, over what ``sd_over`` says, either side; or None."""
        return None if self.sd is None else (self.value - self.sd, self.value + self.sd)


@final
@dataclass(frozen=True)
class Setting:
    """A choice that a metric's value depends on.

    Args:
        name: key of the config, as ``kid_subsets`` below ``settings``; with a dot, its full path, as ``likelihood.k``.
        value: shipped; a stated value must be of its kind. None stands for a whole number that may be left out.
        says: what it is, in a line, with the paper's value.
        least: smallest value there is sense in; None where any is.
        below: the value must be below it; None where there is no such bound.
        decides: whether scores with different values do not compare. False for how work is cut into batches, and for a
            number of images that is cut to those there are: the metric states the true number in its conditions.
    """

    name: str
    value: Any
    says: str
    least: int | float | None = None
    below: int | float | None = None
    decides: bool = True

    def check(self, value: Any) -> None:
        """Refuse a value of another kind, or out of range.

        Raises:
            ValueError: naming the setting.
        """
        if value is None and self.value is None:
            return
        kind = int if self.value is None else type(self.value)
        if kind in _KINDS and not _is(kind, value):
            raise ValueError(f"{self.name}: expected {_KINDS[kind]}, got {value!r}; as shipped it is {self.value}")
        if self.below is not None and not (self.least or 0) < value < self.below:
            raise ValueError(
                f"{self.name}: expected a share in ({self.least or 0}, {self.below}), got {value}; write {self.value}"
            )
        if self.below is None and self.least is not None and value < self.least:
            raise ValueError(f"{self.name}: expected at least {self.least}, got {value}; raise it to {self.least}")


_KINDS: Final[Mapping[type, str]] = {int: "a whole number", float: "a number", list: "a list of numbers"}


def _is(kind: type, value: Any) -> bool:
    """Whether a value is of a kind; a whole number is a number too, and yes or no is none."""
    if kind is list:
        return isinstance(value, list) and all(_is(float, x) for x in value)
    return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)


SEED: Final = Setting("seed", 2020, "seed of shuffles and subsets, not of the samples (torch-fidelity: 2020)", least=0)


@final
class Settings(Mapping[str, Any]):
    """Values of all settings by name; those below ``settings`` can be read as attributes too.

    Args:
        values: of every setting of every metric.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def replace(self, **changes: Any) -> Settings:
        """Copy the settings with some changed; unknown names are refused.

        Args:
            **changes: by name.
        """
        unknown = set(changes) - set(self._values)
        if unknown:
            raise ValueError(
                f"settings: no metric has {', '.join(sorted(unknown))}; there are {', '.join(self._values)}"
            )
        return Settings({**self._values, **changes})


@final
@dataclass(frozen=True)
class Measured:
    """What a metric found, where it is more than a score from features.

    Args:
        scores: by name, as ``elbo``.
        floor: what real data score, by the same names, where that is known.
        ceiling: what noise, or a generator with one mode, scores.
        conditions: what the scores depend on besides the common conditions and the metric's settings.
        evidence: for health checks, see :func:`ganvas.health.findings.finding_on`.
        arrays: to be kept as ``<name>.npz``.
        pictures: to be kept as ``<name>.png``, ``uint8 (3, h, w)``.
        notes: what a reader should know before believing the scores.
    """

    scores: Mapping[str, Score]
    floor: Mapping[str, float] = field(default_factory=dict)
    ceiling: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    evidence: Sequence[Any] = ()
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Material(ABC):
    """Abstract: everything that a metric may ask for; computed when the first metric asks, and once.

    Attributes:
        settings: of all metrics.
        n: samples that are scored.
        seed: of the samples, and of draws that belong to them.
        shape: of one sample.
        split: of the reference that the samples are compared with.
        subject: name of what is scored.
        reference: name of what it is compared with.
        ceiling: ``noise`` or ``one_mode``.
        calibration: whether floor and ceiling are asked for.
    """

    settings: Settings
    n: int
    seed: int
    shape: Shape
    split: str
    subject: str
    reference: str
    ceiling: str
    calibration: bool

    @abstractmethod
    def draw(self, n: int | None = None) -> Tensor:
        """Samples at rest, ``uint8`` images or ``float32`` points: all that are scored, or ``n`` of a model."""

    @abstractmethod
    def extractor(self) -> Extractor:
        """The extractor of features; ValueError where there is none, or it cannot read the samples."""

    @abstractmethod
    def fake(self) -> Features:
        """Features of the samples."""

    @abstractmethod
    def real(self) -> Features | Statistics:
        """Features of the reference, or its moments where these are all there is."""

    @abstractmethod
    def features(self, split: str, metric: str) -> Features:
        """Features of a whole split of the reference, from the cache where it has them."""

    @abstractmethod
    def has(self, split: str) -> bool:
        """Whether the reference has a split."""

    @abstractmethod
    def examples(self, split: str, metric: str) -> Examples:
        """Examples of a split of the reference; ValueError, naming the metric, where there are none."""

    @abstractmethod
    def source(self) -> Source | None:
        """The data set of the reference; None where it is images or a file."""

    @abstractmethod
    def one_mode(self) -> tuple[Examples, Tensor, int]:
        """Examples, positions of those of the most frequent class (at most ``n``), and that class."""

    @abstractmethod
    def bound_model(self, metric: str) -> BoundsEvidence:
        """The model, where it bounds the evidence; ValueError, naming the metric, where it does not."""

    @abstractmethod
    def held_out(self, n: int | None, batch_size: int) -> Iterator[Batch]:
        """``n`` examples, or all, of the split, transformed as in training, on the model's device."""

    @abstractmethod
    def transform(self) -> Mapping[str, Any]:
        """Name and arguments of the transform that the model's data pass."""


@final
@dataclass(frozen=True, eq=False)
class Metric:
    """A metric's whole registration.

    Args:
        name: as in ``metrics=[...]``.
        needs: one of the constants above, which says what ``compute`` is called with.
        lower_is_better: direction of each score by its name, None for one that says nothing of quality.
        settings: that the scores depend on.
        revision: raised by every change that moves a value.
        compute: from a :class:`~ganvas.metrics.comparison.Comparison` to a :class:`Score` where it is a function
            of features, else from a :class:`Material` to :class:`Measured`.
        says: what it measures, a line for the docs.
        kind: middle of the scores' keys, ``score/<kind>/<name>``; empty for the name of the extractor.
    """

    name: str
    needs: str
    lower_is_better: Mapping[str, bool | None]
    settings: Sequence[Setting]
    revision: int
    compute: Callable[[Any], Any]
    says: str
    kind: str = ""

    @property
    def from_features(self) -> bool:
        """Whether the metric is a function of two sets of features."""
        return self.needs in FROM_FEATURES

    def own(self, settings: Settings) -> dict[str, Any]:
        """The metric's own settings that decide what a score compares with, by name."""
        return {setting.name: settings[setting.name] for setting in self.settings if setting.decides}


def feature_metric(
    name: str,
    needs: str,
    lower_is_better: bool,
    compute: Callable[[Comparison], Score],
    says: str,
    settings: Sequence[Setting] = (),
    revision: int = 1,
) -> Metric:
    """A metric with one score, which is a function of two sets of features; see :class:`Metric`."""
    return Metric(name, needs, {name: lower_is_better}, settings, revision, compute, says)
