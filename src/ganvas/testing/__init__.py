"""Contract suites: pytest classes with the tests that every part of a kind must pass, in ganvas or in your own package.

To use a suite, derive a test class from it, with a fixture that makes the part under test:

>>> class TestMyLoss(AdversarialContract):
...     @pytest.fixture
...     def objective(self):
...         return MyLoss(margin=1.0)

The tests of ganvas run the same suites on all parts that it ships. This package needs pytest, which an installation of
ganvas does not include.
"""

import pytest

pytest.register_assert_rewrite(
    "ganvas.testing.adversarial",
    "ganvas.testing.augment",
    "ganvas.testing.class_metrics",
    "ganvas.testing.codebooks",
    "ganvas.testing.conditional",
    "ganvas.testing.constraints",
    "ganvas.testing.data",
    "ganvas.testing.hierarchies",
    "ganvas.testing.latents",
    "ganvas.testing.metrics",
    "ganvas.testing.model_metrics",
    "ganvas.testing.networks",
    "ganvas.testing.regularisers",
    "ganvas.testing.values",
    "ganvas.testing.variational",
)

from ganvas.testing.adversarial import AdversarialContract, AuxiliaryContract  # noqa: E402  (after registration)
from ganvas.testing.augment import AugmentationContract  # noqa: E402
from ganvas.testing.class_metrics import ClassMetricContract  # noqa: E402
from ganvas.testing.codebooks import (  # noqa: E402
    CodeDistributionContract,
    GridDecoderContract,
    GridEncoderContract,
    PredictorContract,
    QuantiserContract,
)
from ganvas.testing.conditional import (  # noqa: E402
    ConditionalContract,
    ConditionalCriticContract,
    ConditionalDecoderContract,
    ConditionalEncoderContract,
    ConditionalGeneratorContract,
)
from ganvas.testing.constraints import ConstraintContract  # noqa: E402
from ganvas.testing.data import SourceContract  # noqa: E402
from ganvas.testing.hierarchies import HierarchyContract  # noqa: E402
from ganvas.testing.latents import LatentSamplerContract, PosteriorContract, PriorContract  # noqa: E402
from ganvas.testing.metrics import MetricContract  # noqa: E402
from ganvas.testing.model_metrics import FactorMetricContract, ReconstructionMetricContract  # noqa: E402
from ganvas.testing.networks import (  # noqa: E402
    CriticContract,
    DecoderContract,
    EncoderContract,
    GeneratorContract,
    NetworkContract,
)
from ganvas.testing.regularisers import RegulariserContract  # noqa: E402
from ganvas.testing.variational import (  # noqa: E402
    AutoencodingContract,
    BoundContract,
    LikelihoodContract,
    ReconstructionLossContract,
)

__all__ = [
    "AdversarialContract",
    "AugmentationContract",
    "AutoencodingContract",
    "AuxiliaryContract",
    "BoundContract",
    "CodeDistributionContract",
    "ConditionalContract",
    "ConditionalCriticContract",
    "ConditionalDecoderContract",
    "ConditionalEncoderContract",
    "ConditionalGeneratorContract",
    "ClassMetricContract",
    "ConstraintContract",
    "CriticContract",
    "DecoderContract",
    "EncoderContract",
    "FactorMetricContract",
    "GeneratorContract",
    "GridDecoderContract",
    "GridEncoderContract",
    "HierarchyContract",
    "LatentSamplerContract",
    "LikelihoodContract",
    "MetricContract",
    "NetworkContract",
    "PosteriorContract",
    "PredictorContract",
    "PriorContract",
    "QuantiserContract",
    "ReconstructionLossContract",
    "ReconstructionMetricContract",
    "RegulariserContract",
    "SourceContract",
]
