"""Contract of metrics of samples with classes, measured by the pipeline of ``ganvas score`` on synthetic images."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import final

import pytest
import torch
from torch import Tensor

from ganvas.data.source import Examples, Source, TensorExamples
from ganvas.extractors.base import Extracted, Extractor
from ganvas.extractors.images import Images, Selected
from ganvas.metrics.base import LABELS, Measured, Metric, Settings
from ganvas.metrics.labels import Unsuited
from ganvas.metrics.registry import settings_of
from ganvas.scoring.asked import Asked
from ganvas.scoring.classes import Classed
from ganvas.scoring.material import Gathered
from ganvas.scoring.references import Reference
from ganvas.scoring.subjects import Subject

CLASSES = 4
N = 120


class ClassMetricContract:
    """Contract of a metric that needs classes. Derive a class with a fixture ``metric``."""

    @pytest.fixture
    def metric(self) -> Metric:
        """Return the metric under test."""
        raise NotImplementedError("override the fixture `metric`")

    @pytest.fixture
    def settings(self, metric: Metric) -> Settings:
        """Return the shipped values of all settings; override it to make a long computation short."""
        return Settings({**settings_of({}), **{setting.name: setting.value for setting in metric.settings}})

    def test_registration(self, metric: Metric) -> None:
        """The registration is complete."""
        assert isinstance(metric, Metric) and metric.needs == LABELS and not metric.from_features
        assert metric.revision >= 1 and metric.says and "\n" not in metric.says
        for setting in metric.settings:
            setting.check(setting.value)
            assert setting.says

    def test_scores_are_a_function_of_images_and_classes(self, metric: Metric, settings: Settings) -> None:
        """Scores are finite and the same in two calls, have a direction, and leave the global random state alone."""
        torch.manual_seed(3)
        before = torch.get_rng_state()
        first, second = (measured(metric, settings, classes(0), classes(0), calibration=c) for c in (True, False))
        assert dict(first.scores) == dict(second.scores) and torch.equal(before, torch.get_rng_state())
        for name, score in first.scores.items():
            assert math.isfinite(score.value) and (score.sd is None) == (score.sd_over == "")
            assert any(fnmatchcase(name, pattern) for pattern in metric.lower_is_better)
        assert set(first.floor) <= set(first.scores) and set(first.ceiling) <= set(first.scores)

    def test_samples_of_their_class_score_better_than_samples_of_any(self, metric: Metric, settings: Settings) -> None:
        """By the stated direction a generator that follows the class is better than one that ignores it."""
        follows, ignores = (measured(metric, settings, classes(0), classes(seed)) for seed in (0, 1))
        for name, score in follows.scores.items():
            lower = next(lower for pattern, lower in metric.lower_is_better.items() if fnmatchcase(name, pattern))
            other = ignores.scores[name].value
            assert lower is None or (score.value < other if lower else score.value > other)

    def test_the_protocol_knows_the_classes_of_the_reference(self, metric: Metric, settings: Settings) -> None:
        """The same images of the reference with other classes give another protocol."""
        plain, other = (measured(metric, settings, classes(0), classes(0), moved) for moved in (0, 1))
        assert plain.conditions == measured(metric, settings, classes(0), classes(0)).conditions != other.conditions

    def test_without_classes_there_is_no_score(self, metric: Metric, settings: Settings) -> None:
        """A side without classes is refused by the name of the metric."""
        for asked, labelled in ((None, True), (classes(0), False)):
            with pytest.raises(Unsuited, match=metric.name):
                measured(metric, settings, classes(0), asked, labelled=labelled)


def classes(seed: int) -> Tensor:
    """Draw a class for each image."""
    return torch.arange(N)[torch.randperm(N, generator=torch.Generator().manual_seed(seed))] % CLASSES


def images(labels: Tensor, seed: int) -> Tensor:
    """Draw grey images of 8x8 pixels, of noise that is brighter in one quarter: that of the class."""
    noise = torch.randint(
        0, 100, (len(labels), 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )
    quarters = noise.unflatten(3, (2, 4)).unflatten(2, (2, 4))  # n, 1, row, 4, column, 4
    quarters[torch.arange(len(labels)), 0, labels // 2, :, labels % 2] += 60
    return noise


def measured(
    metric: Metric,
    settings: Settings,
    made: Tensor,
    asked: Tensor | None,
    moved: int = 0,
    *,
    labelled: bool = True,
    calibration: bool = False,
) -> Measured:
    """Measure synthetic samples.

    Args:
        metric: the metric.
        settings: settings of all metrics.
        made: class that each sample shows.
        asked: class that each sample was asked for; None for samples without classes.
        moved: number of reference images whose class is another than that they show.
        labelled: whether the reference has classes.
        calibration: whether floor and ceiling are measured.
    """
    reference = Reference("quarters", "test", source=Quarters(moved, labelled))
    options = Asked(settings, N, seed=0, calibration=calibration)
    found: Measured = metric.compute(Gathered(Samples(made, asked), reference, BrightestQuarter(), options, None))
    return found


@final
class Samples(Subject):
    """Synthetic images that show one class each, asked for this or another."""

    name, shape, weights = "samples", (1, 8, 8), "images"

    def __init__(self, made: Tensor, asked: Tensor | None) -> None:
        self.made, self.asked = images(made, seed=5), asked

    def count(self, n: int) -> int:
        """See :class:`Subject`."""
        return len(self.made)

    def images(self, n: int, seed: int) -> Images:
        """See :class:`Subject`."""
        return Selected(TensorExamples(self.made), torch.arange(len(self.made)))

    def classed(self, n: int, seed: int) -> Classed | None:
        """See :class:`Subject`."""
        return None if self.asked is None else Classed(self.asked)


@final
class Quarters(Source):
    """Synthetic images of four classes."""

    classes = ("north-west", "north-east", "south-west", "south-east")
    splits = ("train", "test")

    def __init__(self, moved: int, labelled: bool) -> None:
        super().__init__("quarters", (1, 8, 8))
        self.moved, self.labelled = moved, labelled

    def _load(self, split: str) -> Examples:
        made = classes(2)
        labels = (made + (torch.arange(N) < self.moved)) % CLASSES
        return TensorExamples(images(made, seed=self.splits.index(split)), labels if self.labelled else None)


@final
class BrightestQuarter(Extractor):
    """Features are the means of the quarters; the brightest one is the class."""

    name, weights_hash, preprocessing = "quarters", "0" * 64, "as they are"
    num_features, num_classes = CLASSES, CLASSES
    place: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("place", torch.zeros(()))

    def check(self, images: Tensor) -> None:
        """Accept all images."""

    def extract(self, images: Tensor) -> Extracted:
        """Average the quarters."""
        means = torch.nn.functional.adaptive_avg_pool2d(images.float() / 10, 2).flatten(1)
        return means, means
