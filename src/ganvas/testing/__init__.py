"""Contract suites: what every part of a kind must keep, as pytest classes over parts of ganvas and of one's own.

A suite is used by deriving a test class that says in a fixture what is tested:

>>> class TestMyLoss(AdversarialContract):
...     @pytest.fixture
...     def objective(self):
...         return MyLoss(margin=1.0)

ganvas's own tests run the same suites over all parts that it ships. This package needs pytest, which ganvas itself does
not install.
"""

import pytest

pytest.register_assert_rewrite(
    "ganvas.testing.data",
    "ganvas.testing.latents",
    "ganvas.testing.metrics",
    "ganvas.testing.networks",
    "ganvas.testing.objectives",
)

from ganvas.testing.data import SourceContract  # noqa: E402  (after their assertions are made to show values)
from ganvas.testing.latents import PriorContract  # noqa: E402
from ganvas.testing.metrics import MetricContract  # noqa: E402
from ganvas.testing.networks import (  # noqa: E402
    CriticContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    NetworkContract,
)
from ganvas.testing.objectives import (  # noqa: E402
    AdversarialContract,
    BoundContract,
    ConstraintContract,
    LikelihoodContract,
)

__all__ = [
    "AdversarialContract",
    "BoundContract",
    "ConstraintContract",
    "CriticContract",
    "DecoderContract",
    "EncoderContract",
    "GeneratorContract",
    "LikelihoodContract",
    "MetricContract",
    "NetworkContract",
    "PriorContract",
    "SourceContract",
]
