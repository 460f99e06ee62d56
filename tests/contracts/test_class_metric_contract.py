"""Every shipped metric of samples with classes keeps the promises of one."""

import pytest

from ganvas.metrics.base import LABELS
from ganvas.metrics.registry import metrics, settings_of
from ganvas.testing import ClassMetricContract

NAMES = [name for name, metric in metrics().items() if metric.needs == LABELS]


def test_the_suite_sees_the_shipped_metrics():
    assert {"label_accuracy", "intra_fd", "cas"} <= set(NAMES)


class TestClassMetric(ClassMetricContract):
    @pytest.fixture(params=NAMES)
    def metric(self, request):
        return metrics()[request.param]

    @pytest.fixture
    def settings(self):
        return settings_of({"cas_images": 720})
