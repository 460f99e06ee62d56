"""Every shipped metric of a model on its own data keeps the promises of one."""

import pytest

from ganvas.metrics.base import FACTORS, RECONSTRUCTIONS
from ganvas.metrics.registry import metrics, settings_of
from ganvas.testing import FactorMetricContract, ReconstructionMetricContract

OF_FACTORS, OF_RECONSTRUCTIONS = (
    [name for name, metric in metrics().items() if metric.needs == needs] for needs in (FACTORS, RECONSTRUCTIONS)
)


def test_the_suites_see_the_shipped_metrics():
    assert {"mig", "dci", "sap", "factor_vae_score"} <= set(OF_FACTORS)
    assert {"psnr", "ssim", "lpips", "rfd"} <= set(OF_RECONSTRUCTIONS)


class TestFactorMetric(FactorMetricContract):
    @pytest.fixture(params=OF_FACTORS)
    def metric(self, request):
        return metrics()[request.param]


class TestReconstructionMetric(ReconstructionMetricContract):
    @pytest.fixture(params=OF_RECONSTRUCTIONS)
    def metric(self, request):
        return metrics()[request.param]

    @pytest.fixture
    def settings(self, squeeze):
        return settings_of({"reconstruction.n": 60, "reconstruction.net": "squeeze", "reconstruction.weights": squeeze})
