"""Definition of a metric: its name, its inputs, the direction of its scores, its settings, its function.

A metric's file ends with its :class:`Metric` values. Everything else is derived from them: the names in
``metrics=[...]``, the config's keys and defaults, the direction in reports, the conditions and the fingerprint of each
score, and the table in the docs. :mod:`ganvas.metrics.registry` lists the shipped metrics and registers others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from ganvas.data.source import Examples, Source
from ganvas.extractors.base import Extractor
from ganvas.extractors.features import Features
from ganvas.metrics.sensible import SensibleN
from ganvas.metrics.settings import Setting, Settings
from ganvas.types import Batch, BoundsEvidence, Classifies, CodesExamples, DrawsClasses, Reconstructs, Shape

if TYPE_CHECKING:
    from ganvas.metrics.comparison import Comparison, Statistics
    from ganvas.metrics.factors import Codes
    from ganvas.metrics.labels import Labels

MOMENTS: Final = "moments of the reference's features, and features of the samples"
FEATURES: Final = "features of both sides"
LOGITS: Final = "class logits of the samples"
SAMPLE_FEATURES: Final = "features of the samples"
SAMPLES: Final = "samples, and images or points of the reference"
MODEL: Final = "a model that bounds the evidence"
CODES: Final = "a model whose latents are codes"
LABELS: Final = "the class that each sample was asked for, and images of the reference with classes"
FACTORS: Final = "a model that encodes, and data whose factors are known"
RECONSTRUCTIONS: Final = "a model that reconstructs images"
CLASSES: Final = "a model that names classes"
GENERATOR: Final = "a model that decodes latents to images"
OF_MODEL: Final = (MODEL, CODES, FACTORS, RECONSTRUCTIONS, CLASSES)
"""Values of ``needs`` for metrics of a model on its own data, without samples."""
FROM_FEATURES: Final = (MOMENTS, FEATURES, LOGITS, SAMPLE_FEATURES)
"""Values of ``needs`` for metrics that are functions of two sets of features."""
SEED: Final = Setting("seed", 2020, "seed of shuffles and subsets, not of the samples (torch-fidelity: 2020)", least=0)


@final
@dataclass(frozen=True)
class Score:
    """A score with its uncertainty.

    Args:
        value: the score.
        sd: standard deviation over parts of the images (splits, subsets) or, if ``sd_over`` names images, standard
            error over these images; None if unknown.
        sd_over: what ``sd`` is computed over and what is held fixed; empty if ``sd`` is None.
        ends: ends of an interval that is not symmetric about ``value``; None takes ``value`` minus and plus ``sd``.
    """

    value: float
    sd: float | None
    sd_over: str
    ends: tuple[float, float] | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval of about one standard error; None if ``sd`` is None."""
        return self.ends if self.ends or self.sd is None else (self.value - self.sd, self.value + self.sd)


@final
@dataclass(frozen=True)
class Measured:
    """Result of a metric that is not a function of two sets of features.

    Args:
        scores: scores by name, for example ``elbo``.
        floor: scores of real data by the same names, if known.
        ceiling: scores of noise, or of a generator with one mode, by the same names, if known.
        conditions: what the scores depend on, besides the common conditions and the metric's settings.
        evidence: input of health checks, see :func:`ganvas.health.findings.findings_on`.
        arrays: arrays to write to ``<name>.npz``.
        pictures: ``uint8 (3, h, w)``, to write to ``<name>.png``.
        notes: warnings for the reader of the scores, one sentence each.
        details: further results for ``result.json``, values that JSON can hold.
        terms: of a score that is a mean over images of the reference, by its name: the value of each, in their order.
    """

    scores: Mapping[str, Score]
    floor: Mapping[str, float] = field(default_factory=dict)
    ceiling: Mapping[str, float] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)
    evidence: Sequence[Any] = ()
    arrays: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    notes: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    terms: Mapping[str, Tensor] = field(default_factory=dict)


class Material(ABC):
    """Abstract: all inputs of metrics. Features are computed once, at the first request.

    Attributes:
        settings: settings of all metrics.
        n: number of scored samples.
        n_stand_ins: number of images of floor and ceiling: ``n``, or fewer if ``n`` is very large.
        seed: seed of the samples, and of the latents that a metric draws itself.
        shape: shape of one sample.
        split: the split of the reference that the samples are compared with.
        subject: name of the scored model or images.
        reference: name of the reference.
        ceiling: ``noise`` or ``one_mode``.
        calibration: whether floor and ceiling are computed.
    """

    settings: Settings
    n: int
    n_stand_ins: int
    seed: int
    shape: Shape
    split: str
    subject: str
    reference: str
    ceiling: str
    calibration: bool

    @abstractmethod
    def draw(self, n: int | None = None) -> Tensor:
        """Draw samples, ``uint8`` images or ``float32`` points: all scored ones, or ``n`` if they come from a model."""

    @abstractmethod
    def drawn_at(self, index: Int64[Tensor, " m"]) -> Tensor:
        """Return some of the scored samples; all are drawn or read, but only these are kept in memory."""

    @abstractmethod
    def extractor(self) -> Extractor:
        """Return the feature extractor; ValueError if there is none, or if the samples are points."""

    @abstractmethod
    def fake(self) -> Features:
        """Return the features of the samples."""

    @abstractmethod
    def real(self) -> Features | Statistics:
        """Return the features of the reference, or its moments if only these are known."""

    @abstractmethod
    def features(self, split: str, metric: str) -> Features:
        """Return the features of a whole split of the reference, from the cache if it has them."""

    @abstractmethod
    def drawn(self, split: str, metric: str) -> tuple[Features, Int64[Tensor, " n"]]:
        """Return the features of ``n`` images of a split (or all, if there are fewer), and their positions in it."""

    @abstractmethod
    def labels(self, metric: str) -> Labels:
        """Return the classes of samples and reference; Unsuited, with the metric's name, if a side has none."""

    @abstractmethod
    def has(self, split: str) -> bool:
        """Tell whether the reference has the split."""

    @abstractmethod
    def examples(self, split: str, metric: str) -> Examples:
        """Return the examples of a split of the reference; ValueError, with the metric's name, if there are none."""

    @abstractmethod
    def source(self) -> Source | None:
        """Return the data set of the reference; None if the reference is images or a file."""

    @abstractmethod
    def one_mode(self) -> tuple[Examples, Tensor, int]:
        """Return examples, positions of those in the most frequent class (at most ``n``), and this class."""

    @abstractmethod
    def worst(self) -> Features:
        """Return the features of ``n`` images of a useless generator: noise, or one class, by ``ceiling``."""

    @abstractmethod
    def bound_model(self, metric: str) -> BoundsEvidence:
        """Return the model; ValueError, with the metric's name, if it has no bound on the evidence."""

    @abstractmethod
    def codes(self, metric: str) -> Codes:
        """Return codes and factors of ``factors.n`` held-out examples, or ValueError with the metric's name.

        The error says that the model does not encode, or that its data state no factors.
        """

    @abstractmethod
    def reconstructor(self, metric: str) -> Reconstructs:
        """Return the model; ValueError, with the metric's name, if it does not reconstruct images."""

    @abstractmethod
    def generator(self, metric: str) -> DrawsClasses:
        """Return what draws latents and decodes them; ValueError, with the metric's name, if no model makes images."""

    @abstractmethod
    def classifier(self, metric: str) -> Classifies:
        """Return the model; ValueError, with the metric's name, if it names no classes."""

    @abstractmethod
    def coded_model(self, metric: str) -> CodesExamples:
        """Return the model; ValueError, with the metric's name, if its latents are not codes."""

    @abstractmethod
    def held_out(self, n: int | None, batch_size: int) -> Iterator[Batch]:
        """Yield ``n`` examples of the split (None: all), transformed as in training, on the model's device."""

    @abstractmethod
    def transform(self) -> Mapping[str, Any]:
        """Return name and arguments of the transform of the model's data."""


@final
@dataclass(frozen=True, eq=False)
class Metric:
    """The registration of a metric.

    Args:
        name: name in ``metrics=[...]``.
        needs: input of the metric, one of the constants above.
        lower_is_better: direction of each score by its name, which may end in ``*`` for a score of each class; None
            for a score that does not measure quality.
        settings: settings that the scores depend on.
        revision: increase it with every change that changes a value.
        compute: if ``needs`` is in :data:`FROM_FEATURES`, a function from
            :class:`~ganvas.metrics.comparison.Comparison` to :class:`Score`, else from :class:`Material` to
            :class:`Measured`.
        says: what it measures, in one line for the docs.
        kind: middle part of the scores' keys, ``score/<kind>/<name>``; empty for the name of the extractor.
        sensible_n: smallest number of images at which a score is worth reading; None if neither literature nor
            mathematics says one. A score of fewer has a note. A metric of a model counts the images of its condition
            ``n``.
        in_blocks: whether it reads features in blocks, so that those of very many images can stay in files; others
            get a copy in memory, in float32.
    """

    name: str
    needs: str
    lower_is_better: Mapping[str, bool | None]
    settings: Sequence[Setting]
    revision: int
    compute: Callable[[Any], Any]
    says: str
    kind: str = ""
    sensible_n: SensibleN | None = None
    in_blocks: bool = False

    @property
    def from_features(self) -> bool:
        """Whether the metric is a function of two sets of features."""
        return self.needs in FROM_FEATURES

    def own(self, settings: Settings) -> dict[str, Any]:
        """Values by name of the metric's settings that decide which scores are comparable."""
        return {setting.name: settings[setting.name] for setting in self.settings if setting.decides}


def feature_metric(
    name: str,
    needs: str,
    lower_is_better: bool,
    compute: Callable[[Comparison], Score],
    says: str,
    settings: Sequence[Setting] = (),
    revision: int = 1,
    sensible_n: SensibleN | None = None,
    in_blocks: bool = False,
) -> Metric:
    """Make a metric with one score that is a function of two sets of features; see :class:`Metric`."""
    direction = {name: lower_is_better}
    return Metric(name, needs, direction, settings, revision, compute, says, sensible_n=sensible_n, in_blocks=in_blocks)
