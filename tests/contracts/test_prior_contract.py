"""Every shipped conf/prior/*.yaml keeps the promises of a prior."""

from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from ganvas.testing import PriorContract

CONF = Path(__file__).resolve().parents[2] / "conf" / "prior"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def test_the_suite_sees_the_shipped_priors():
    assert {"codes", "normal", "uniform", "mixture"} <= set(NAMES)


class TestPrior(PriorContract):
    @pytest.fixture(params=NAMES)
    def prior(self, request):
        cfg = OmegaConf.load(CONF / f"{request.param}.yaml")
        prior = hydra.utils.instantiate(cfg, _convert_="all")
        assert prior.dim == cfg.dim
        return prior
