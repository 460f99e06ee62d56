"""Every shipped metric from features keeps the promises of one; every metric has a registration."""

import pytest

from ganvas.metrics.registry import metrics
from ganvas.testing import MetricContract

NAMES = [name for name, metric in metrics().items() if metric.from_features]


def test_the_suite_sees_the_shipped_metrics():
    assert {"fd", "fid", "is", "kid", "precision", "recall", "density", "coverage", "fd_infinity"} <= set(NAMES)
    assert {"cmmd", "kid_gaussian", "fd_shrunk", "is_infinity", "vendi", "mind", "swd", "sfid"} <= set(NAMES)


class TestMetric(MetricContract):
    @pytest.fixture(params=NAMES)
    def metric(self, request):
        return metrics()[request.param]
