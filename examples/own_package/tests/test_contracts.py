"""The contract suites of ganvas over this package's own parts."""

import pytest
from own_package import Blobs, Critic, Generator, Logistic
from own_package.metric import METRIC

from ganvas import testing


class TestLogistic(testing.AdversarialContract):
    @pytest.fixture(params=[0.5, 2.0])
    def objective(self, request):
        return Logistic(sharpness=request.param)


class TestGenerator(testing.GeneratorContract):
    @pytest.fixture
    def build(self):
        return lambda: Generator((1, 28, 28), latent_dim=8, width=16)


class TestCritic(testing.CriticContract):
    @pytest.fixture
    def build(self):
        return lambda: Critic((1, 28, 28), width=16)


class TestBlobs(testing.SourceContract):
    @pytest.fixture
    def build(self):
        return lambda: Blobs("blobs", [1, 28, 28], seed=0)


class TestCentre(testing.MetricContract):
    @pytest.fixture
    def metric(self):
        return METRIC
