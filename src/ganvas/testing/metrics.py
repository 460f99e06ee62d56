"""Contract of metrics that compare two sets of features."""

from __future__ import annotations

import math

import pytest
import torch

from ganvas.extractors.features import Features
from ganvas.metrics.base import Metric, Score, Settings
from ganvas.metrics.comparison import Comparison
from ganvas.metrics.registry import settings_of

EXTRACTOR = "synthetic"


class MetricContract:
    """Contract of a metric on features. Derive a class with a fixture ``metric``."""

    @pytest.fixture
    def metric(self) -> Metric:
        """Return the metric under test."""
        raise NotImplementedError("override the fixture `metric`")

    @pytest.fixture
    def settings(self, metric: Metric) -> Settings:
        """Return the shipped values of all settings, including those of the metric under test."""
        return Settings({**settings_of({}), **{setting.name: setting.value for setting in metric.settings}})

    def test_registration(self, metric: Metric) -> None:
        """The registration is complete, and every setting accepts its shipped value and refuses one below its range."""
        assert isinstance(metric, Metric) and metric.from_features
        assert metric.name in metric.lower_is_better and "." not in metric.name and "/" not in metric.name
        assert metric.revision >= 1 and metric.says and "\n" not in metric.says
        for setting in metric.settings:
            setting.check(setting.value)
            assert setting.says
            if setting.least is not None and setting.below is None:
                with pytest.raises(ValueError, match=setting.name.rpartition(".")[2]):
                    setting.check(setting.least - 1)

    def test_a_score_is_a_function_of_the_features(self, metric: Metric, settings: Settings) -> None:
        """The score is finite and the same in two calls, and the global random state does not change."""
        torch.manual_seed(3)
        before = torch.get_rng_state()
        first, second = (metric.compute(_pair(0.0, settings)) for _ in range(2))
        assert isinstance(first, Score) and math.isfinite(first.value)
        assert first == second and torch.equal(before, torch.get_rng_state())
        assert (first.sd is None) == (first.sd_over == "") and (first.sd is None or first.sd >= 0)

    def test_samples_like_the_reference_score_better_than_samples_unlike_it(
        self, metric: Metric, settings: Settings
    ) -> None:
        """By the metric's stated direction, samples like the reference have the better score."""
        near, far = (metric.compute(_pair(shift, settings)).value for shift in (0.0, 6.0))
        lower = metric.lower_is_better[metric.name]
        assert lower is None or (near < far if lower else near > far)

    def test_features_that_are_not_finite_give_no_score(self, metric: Metric, settings: Settings) -> None:
        """NaN among the features gives a ValueError or a score that is not finite."""
        pair = _pair(0.0, settings)
        pair.fake.values[3] = math.nan
        if pair.fake.logits is not None:
            pair.fake.logits[3] = math.nan
        try:
            score = metric.compute(pair)
        except ValueError:
            return
        assert not math.isfinite(score.value)


def _pair(shift: float, settings: Settings) -> Comparison:
    """Make normal features for both sides; with the shift of the samples their classes become less certain."""
    return Comparison(_side(1, 0.0), _side(2, shift), settings)


def _side(seed: int, shift: float, n: int = 300, d: int = 6) -> Features:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, d, generator=generator) + shift
    logits = torch.eye(d)[torch.arange(n) % d] * (8.0 / (1 + shift))
    return Features(values, logits, EXTRACTOR, "0" * 64)
