"""Every shipped conf/prior/*.yaml keeps the promises of a prior."""

from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from ganvas.testing import PriorContract

CONF = Path(__file__).resolve().parents[2] / "conf" / "prior"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def test_the_suite_sees_the_shipped_priors():
    assert {"normal", "uniform", "mixture"} <= set(NAMES)


class TestPrior(PriorContract):
    @pytest.fixture(params=NAMES)
    def prior(self, request):
        prior = hydra.utils.instantiate(OmegaConf.load(CONF / f"{request.param}.yaml"), _convert_="all")
        assert prior.dim == 64
        return prior
